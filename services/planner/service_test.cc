#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/planner/testing/service_fixture.h"

namespace slipway::planner {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PlannerServiceTest : public ServiceTest {
 protected:
  PlannerServiceTest() { EXPECT_OK(CreateProject("shop")); }
};

TEST_F(PlannerServiceTest, SpecBecomesAPlanThatRunsAndCompletes) {
  ASSERT_OK_AND_ASSIGN(const v1::Plan created, CreatePlan("# Greeting\n\nGreet people."));
  EXPECT_EQ(created.name(), "projects/shop/plans/2026-11-21-greeting");
  EXPECT_EQ(created.state(), v1::Plan::STATE_DRAFTING);
  ASSERT_TRUE(Reaches(created.name(), v1::Plan::STATE_PROPOSED));

  const v1::Plan proposed = GetPlan(created.name());
  EXPECT_EQ(proposed.version(), 1);
  ASSERT_EQ(proposed.tasks_size(), 2);
  EXPECT_EQ(proposed.tasks(0).id(), "greeting");
  EXPECT_EQ(proposed.tasks(0).role(), "general_builder");
  EXPECT_EQ(proposed.tasks(1).role(), "simple_builder");
  EXPECT_THAT(proposed.tasks(1).allowed_paths(), ElementsAre("tests/**"));
  EXPECT_THAT(proposed.critical_path(), ElementsAre("greeting", "test-greeting"));
  EXPECT_EQ(proposed.waves_size(), 2);
  // Four attempts of 24,000 + 4 * 6,000 and of 8,000 + 4 * 2,000; descriptions round up to 1,000.
  EXPECT_EQ(proposed.estimate_usd_nanos(), 4 * (25'000 + 24'000) + 4 * (9'000 + 8'000));
  EXPECT_EQ(proposed.estimate_duration().seconds(), 7 * 60);
  EXPECT_EQ(proposed.base_commit(), FakeRepository::kCommit);

  ASSERT_OK(Approve(created.name(), 1));
  ASSERT_OK_AND_ASSIGN(const v1::Plan running, StartPlan(created.name()));
  EXPECT_EQ(running.state(), v1::Plan::STATE_RUNNING);
  ASSERT_EQ(dispatcher_.submitted().size(), 1);
  const dispatcher::v1::PlanSpec spec = dispatcher_.submitted()[0];
  EXPECT_EQ(spec.branch(), "plan/2026-11-21-greeting");
  EXPECT_EQ(spec.version(), 1);
  EXPECT_EQ(spec.tasks_size(), 2);

  run_log_.Append(created.name(), "INTEGRATING", "");
  run_log_.Append(created.name(), "SUCCEEDED", "pushed");
  EXPECT_TRUE(Reaches(created.name(), v1::Plan::STATE_COMPLETED));
}

TEST_F(PlannerServiceTest, PromptShowsSpecSchemaTreeAndFiles) {
  ProposedPlan("# Greeting\nGreet people.");

  ASSERT_EQ(models_.requests().size(), 1);
  const models::v1::GenerateRequest request = models_.requests()[0];
  EXPECT_EQ(request.call_id(), "plan:projects/shop/plans/2026-11-21-greeting:draft:1:1");
  EXPECT_EQ(request.intent(), "plan");
  EXPECT_EQ(request.role(), "frontier_reviewer");
  EXPECT_EQ(request.output_tokens_max(), 16'000);
  EXPECT_THAT(request.response_schema(), HasSubstr("allowed_paths"));
  const std::string prompt = request.messages(1).text();
  EXPECT_THAT(prompt, HasSubstr("Greet people."));
  EXPECT_THAT(prompt, HasSubstr("src/main.py 40"));
  EXPECT_THAT(prompt, HasSubstr("content of README.md"));
}

TEST_F(PlannerServiceTest, RefusedReplyIsRepairedInTheNextRound) {
  models_.SetAnswer([](const models::v1::GenerateRequest& request) -> std::string {
    if (request.messages_size() == 2) return "{\"summary\": \"cut of";
    return absl::StrCat("```json\n", kGoodReply, "\n```");
  });

  ProposedPlan();

  ASSERT_EQ(models_.requests().size(), 2);
  const models::v1::GenerateRequest repair = models_.requests()[1];
  EXPECT_THAT(repair.call_id(), testing::EndsWith(":draft:2:1"));
  EXPECT_EQ(repair.messages(2).text(), "{\"summary\": \"cut of");
  EXPECT_THAT(repair.messages(3).text(), HasSubstr("The reply was refused: REPLY_TRUNCATED"));
  ASSERT_EQ(Events("plan.reply_rejected").size(), 1);
  EXPECT_EQ(Events("plan.reply_rejected")[0].payload().plan_reply_rejected().reason(),
            "REPLY_TRUNCATED");
}

TEST_F(PlannerServiceTest, PlanFailsWithTheLastReasonWhenNoReplyIsGood) {
  models_.SetAnswer([](const auto&) {
    return std::string(R"({"summary":"s","tasks":[
      {"id":"a","title":"A","description":"d","depends_on":["b"],"intent":"code",
       "complexity":"low","allowed_paths":["**"],"acceptance":[]},
      {"id":"b","title":"B","description":"d","depends_on":["a"],"intent":"code",
       "complexity":"low","allowed_paths":["**"],"acceptance":[]}]})");
  });

  const std::string name = CreatePlan("do it").value().name();

  ASSERT_TRUE(Reaches(name, v1::Plan::STATE_FAILED));
  EXPECT_THAT(GetPlan(name).failure(), HasSubstr("PLAN_CYCLE"));
  EXPECT_THAT(GetPlan(name).failure(), HasSubstr("a -> b -> a"));
  EXPECT_EQ(models_.requests().size(), 4);  // The first and three repairs.
  EXPECT_THAT(Approve(name, 0), FailsWithReason("PLAN_STATE"));
}

TEST_F(PlannerServiceTest, DraftingWaitsForABudgetAndGoesOnWithANewCall) {
  models_.SetAnswer([](const auto&) {
    return base::Error(absl::StatusCode::kResourceExhausted, "BUDGET_DENIED", "limit reached");
  });
  const std::string name = CreatePlan("do it").value().name();
  ASSERT_TRUE(
      Eventually([&] { return absl::StartsWith(GetPlan(name).failure(), "BUDGET_DENIED"); }));
  EXPECT_EQ(GetPlan(name).state(), v1::Plan::STATE_DRAFTING);

  models_.SetAnswer([](const auto&) { return std::string(kGoodReply); });

  ASSERT_TRUE(Reaches(name, v1::Plan::STATE_PROPOSED));
  EXPECT_THAT(GetPlan(name).failure(), IsEmpty());
  std::set<std::string> ids;
  for (const auto& request : models_.requests()) ids.insert(request.call_id());
  EXPECT_EQ(ids.size(), models_.requests().size());
}

TEST_F(PlannerServiceTest, DraftingGoesOnAfterARestart) {
  models_.SetAnswer(nullptr);  // Hangs.
  const std::string name = CreatePlan("do it").value().name();
  ASSERT_TRUE(Eventually([&] { return models_.requests().size() == 1; }));

  planner_.reset();
  models_.SetAnswer([](const auto&) { return std::string(kGoodReply); });
  StartPlanner();

  ASSERT_TRUE(Reaches(name, v1::Plan::STATE_PROPOSED));
  // The reply of the first call may have been paid for: it is asked for again by its id.
  EXPECT_EQ(models_.requests()[0].call_id(), models_.requests()[1].call_id());
}

TEST_F(PlannerServiceTest, PlanThatIsOpenWithAnOlderPolicyIsDraftedOn) {
  models_.SetAnswer(nullptr);
  const std::string name = CreatePlan("do it").value().name();
  ASSERT_TRUE(Eventually([&] { return models_.requests().size() == 1; }));
  planner_.reset();
  models_.SetAnswer([](const auto&) { return std::string(kGoodReply); });
  repository_.SetOpenError(base::Error(absl::StatusCode::kAlreadyExists, "PLAN_OPEN", "other"));

  StartPlanner();

  EXPECT_TRUE(Reaches(name, v1::Plan::STATE_PROPOSED));
}

TEST_F(PlannerServiceTest, UnknownOutcomeAfterARestartCostsNoTry) {
  models_.SetAnswer(nullptr);
  const std::string name = CreatePlan("do it").value().name();
  ASSERT_TRUE(Eventually([&] { return models_.requests().size() == 1; }));
  planner_.reset();
  models_.SetAnswer([](const auto& request) -> absl::StatusOr<std::string> {
    if (absl::EndsWith(request.call_id(), ":1:1")) {
      return base::Error(absl::StatusCode::kAborted, "OUTCOME_UNKNOWN", "nobody knows");
    }
    return std::string(kGoodReply);
  });
  StartPlanner();

  ASSERT_TRUE(Reaches(name, v1::Plan::STATE_PROPOSED));
  EXPECT_THAT(models_.requests().back().call_id(), testing::EndsWith(":draft:1:2"));
}

TEST_F(PlannerServiceTest, PromptThatDoesNotFitShowsLessOfTheRepository) {
  models_.SetAnswer([](const auto& request) -> absl::StatusOr<std::string> {
    if (absl::StrContains(request.messages(1).text(), "README.md")) {
      return base::Error(absl::StatusCode::kInvalidArgument, "PROMPT_TOO_LARGE", "too large");
    }
    return std::string(kGoodReply);
  });

  ProposedPlan();

  // 24,000 tokens, halved until the context is left out.
  EXPECT_EQ(models_.requests().size(), 6);
}

TEST_F(PlannerServiceTest, WhatNobodyExplainsIsTriedFiveTimes) {
  models_.SetAnswer([](const auto&) { return absl::InternalError("?"); });
  const std::string name = CreatePlan("do it").value().name();
  ASSERT_TRUE(Reaches(name, v1::Plan::STATE_FAILED));
  EXPECT_EQ(models_.requests().size(), 5);
}

TEST_F(PlannerServiceTest, MissingRouteFailsThePlanAtOnce) {
  models_.SetAnswer([](const auto&) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "ROUTE_MISSING", "no route");
  });
  const std::string name = CreatePlan("do it").value().name();
  ASSERT_TRUE(Reaches(name, v1::Plan::STATE_FAILED));
  EXPECT_EQ(GetPlan(name).failure(), "ROUTE_MISSING: no route");
  EXPECT_EQ(Events("plan.state_changed").back().payload().plan_state_changed().reason(),
            "ROUTE_MISSING: no route");
}

TEST_F(PlannerServiceTest, RejectStopsDrafting) {
  models_.SetAnswer(nullptr);
  const std::string name = CreatePlan("do it").value().name();
  ASSERT_TRUE(Eventually([&] { return models_.requests().size() == 1; }));
  v1::RejectPlanRequest request;
  request.set_name(name);
  request.set_reason("not now");

  ASSERT_OK_AND_ASSIGN(const v1::RejectPlanResponse response, Invoke(&Stub::RejectPlan, request));

  EXPECT_EQ(response.plan().state(), v1::Plan::STATE_REJECTED);
  EXPECT_EQ(response.plan().failure(), "REJECTED: not now");
  models_.SetAnswer([](const auto&) { return std::string(kGoodReply); });
  clock_.Advance(absl::Minutes(1));
  RestartPlanner();
  EXPECT_EQ(GetPlan(name).state(), v1::Plan::STATE_REJECTED);
  EXPECT_EQ(models_.requests().size(), 1);
}

TEST_F(PlannerServiceTest, StartIsDeliveredAfterTheDispatcherIsBackAndAfterARestart) {
  const std::string name = ProposedPlan();
  ASSERT_OK(Approve(name, 1));
  dispatcher_.SetSubmitError(absl::UnavailableError("down"));
  EXPECT_THAT(StartPlan(name), FailsWithReason("START_PENDING"));
  EXPECT_EQ(GetPlan(name).state(), v1::Plan::STATE_APPROVED);
  planner_.reset();
  dispatcher_.SetSubmitError(absl::OkStatus());

  StartPlanner();

  EXPECT_TRUE(Reaches(name, v1::Plan::STATE_RUNNING));
  EXPECT_EQ(dispatcher_.submitted().size(), 1);
  ASSERT_OK_AND_ASSIGN(const v1::Plan again, StartPlan(name));
  EXPECT_EQ(again.state(), v1::Plan::STATE_RUNNING);
  EXPECT_EQ(dispatcher_.submitted().size(), 1);
}

TEST_F(PlannerServiceTest, RefusedStartLeavesThePlanApprovedWithTheReason) {
  const std::string name = ProposedPlan();
  EXPECT_THAT(StartPlan(name), FailsWithReason("PLAN_STATE"));
  ASSERT_OK(Approve(name, 1));
  repository_.SetOpenError(
      base::Error(absl::StatusCode::kFailedPrecondition, "BRANCH_MISSING", "no main"));

  EXPECT_THAT(StartPlan(name), FailsWithReason("BRANCH_MISSING"));

  EXPECT_EQ(GetPlan(name).state(), v1::Plan::STATE_APPROVED);
  EXPECT_EQ(GetPlan(name).failure(), "BRANCH_MISSING: no main");
}

TEST_F(PlannerServiceTest, RunThatEndedWhileThePlannerWasDownIsSeen) {
  const std::string name = ProposedPlan();
  ASSERT_OK(Approve(name, 1));
  ASSERT_OK(StartPlan(name));
  planner_.reset();
  run_log_.Append(name, "FAILED", "task greeting failed");
  StartPlanner();

  ASSERT_TRUE(Reaches(name, v1::Plan::STATE_FAILED));
  EXPECT_EQ(GetPlan(name).failure(), "task greeting failed");
}

TEST_F(PlannerServiceTest, LostDispatcherLogIsReconciled) {
  const std::string other = ProposedPlan("other");
  const std::string name = ProposedPlan("this");
  for (const std::string& plan : {other, name}) {
    ASSERT_OK(Approve(plan, 1));
    ASSERT_OK(StartPlan(plan));
  }
  run_log_.Append(other, "CANCELLED", "");
  ASSERT_TRUE(Reaches(other, v1::Plan::STATE_CANCELLED));

  dispatcher_.SetRunState(dispatcher::v1::Run::STATE_SUCCEEDED);
  run_log_.ReplaceDatabase();

  EXPECT_TRUE(Reaches(name, v1::Plan::STATE_COMPLETED));
  EXPECT_EQ(GetPlan(other).state(), v1::Plan::STATE_CANCELLED);
}

TEST_F(PlannerServiceTest, DirtyRepositoryTakesNoPlanUntilItIsClean) {
  repository_.SetDirty(true);
  EXPECT_THAT(CreatePlan("do it"), FailsWithReason("REPOSITORY_DIRTY"));
  repository_.SetDirty(false);
  EXPECT_OK(CreatePlan("do it"));
}

TEST_F(PlannerServiceTest, RepeatedRequestReturnsTheFirstPlan) {
  ASSERT_OK_AND_ASSIGN(const v1::Plan first, CreatePlan("do it", "request-7"));
  ASSERT_OK_AND_ASSIGN(const v1::Plan repeat, CreatePlan("do it", "request-7"));
  ASSERT_OK_AND_ASSIGN(const v1::Plan other, CreatePlan("do it", "request-8"));

  EXPECT_EQ(repeat.name(), first.name());
  EXPECT_EQ(other.name(), first.name() + "-2");
}

TEST_F(PlannerServiceTest, BadSpecsAreRefusedByName) {
  EXPECT_THAT(CreatePlan(""), FailsWithReason("SPEC_EMPTY"));
  EXPECT_THAT(CreatePlan(" \n\t "), FailsWithReason("SPEC_EMPTY"));
  EXPECT_THAT(CreatePlan(std::string((256 << 10) + 1, 'a')), FailsWithReason("SPEC_TOO_LARGE"));
  EXPECT_THAT(CreatePlan(std::string("a\0b", 3)), FailsWithReason("SPEC_NOT_TEXT"));
  v1::ListPlansRequest request;
  request.set_parent("projects/-");
  EXPECT_EQ(Invoke(&Stub::ListPlans, request).value().plans_size(), 0);
}

}  // namespace
}  // namespace slipway::planner
