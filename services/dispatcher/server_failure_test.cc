// What happens to tasks whose attempts fail, on whole dispatchers.
#include "lib/base/error.h"
#include "services/dispatcher/testing/server_fixture.h"

namespace slipway::dispatcher {
namespace {

using ::testing::HasSubstr;
using testkit::FailsWithReason;

grpc::Status Refuse(const reviewer::v1::InspectRequest&, reviewer::v1::InspectResponse& response) {
  auto& reason = *response.mutable_refused()->add_reasons();
  reason.set_code("SYMLINK");
  reason.set_path("link");
  reason.set_detail("leaves the tree");
  return grpc::Status::OK;
}

// Another reason each time, so that trying again makes sense.
auto RefuseOtherwise() {
  return [count = std::make_shared<std::atomic<int>>(0)](const auto& request, auto& response) {
    const grpc::Status status = Refuse(request, response);
    response.mutable_refused()->mutable_reasons(0)->set_path(
        "link" + std::string(static_cast<size_t>((*count)++), 'x'));
    return status;
  };
}

class FailureTest : public ServerFixture {
 protected:
  // Evidence of the first `failures` validations fails.
  FakeAgent::Script FailingValidators(int failures) {
    auto left = std::make_shared<std::atomic<int>>(failures);
    return [left](const agent::v1::Grant& grant) -> std::optional<agent::v1::SubmitResultRequest> {
      if (!grant.has_run_validators()) return FakeAgent::Change(grant);
      return FakeAgent::Evidence(grant, (*left)-- <= 0);
    };
  }
};

TEST_F(FailureTest, FailedValidatorsAreToldToTheNextAttemptWhichIsMerged) {
  reviewer_.with_validators = true;
  AddAgent(FailingValidators(2));
  ASSERT_OK(Submit(Plan({"a"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  const std::vector<v1::Attempt> attempts = ListAttempts("a");
  ASSERT_EQ(attempts.size(), 6u);
  EXPECT_EQ(attempts[0].state(), v1::Attempt::STATE_REJECTED);
  EXPECT_EQ(attempts[4].state(), v1::Attempt::STATE_ACCEPTED);
  ASSERT_EQ(attempts[4].feedback_size(), 2) << "all earlier feedback, oldest first";
  EXPECT_THAT(attempts[4].feedback(0), HasSubstr("test_parse failed"));
  EXPECT_EQ(GetTask("a").retries().at("agent"), 2);
  EXPECT_TRUE(Eventually([&] { return models_.open_keys().empty(); }));
}

TEST_F(FailureTest, AnAttemptAfterAFailureAsksForTheRoleThatWasChosenForIt) {
  reviewer_.with_validators = true;
  FakeAgent& agent = AddAgent(FailingValidators(1));
  ASSERT_OK(Submit(Plan({"a"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  std::vector<std::string> roles;
  for (const agent::v1::Grant& grant : agent.grants()) {
    if (grant.has_write_change()) roles.push_back(grant.write_change().role());
  }
  EXPECT_THAT(roles, ::testing::ElementsAre("simple_builder", "general_builder"));
  const std::vector<models::v1::IssueAttemptKeyRequest> asked = models_.requests();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0].traits().escalation_depth(), 0);
  EXPECT_EQ(asked[1].traits().escalation_depth(), 1);
  EXPECT_EQ(asked[1].roles(0), "simple_builder") << "the plan's role is the least";
  EXPECT_EQ(asked[1].intent(), "code");
}

TEST_F(FailureTest, SpentRetriesOpenACheckpointWhoseRetryStartsAnew) {
  reviewer_.inspect = RefuseOtherwise();
  FakeAgent& agent = AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);
  const std::vector<v1::Checkpoint> open = ListCheckpoints();
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].reason(), "RETRIES_SPENT");
  EXPECT_EQ(open[0].evidence_size(), 4);
  EXPECT_EQ(agent.grants().size(), 4u);
  reviewer_.inspect = nullptr;

  ASSERT_OK(Resolve(open[0].name(), v1::Checkpoint::DECISION_RETRY, "no links").status());

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  const agent::v1::WriteChange last = agent.grants().back().write_change();
  EXPECT_EQ(last.guidance(), "no links");
  EXPECT_EQ(last.feedback_size(), 4);
  EXPECT_THAT(last.feedback(0), HasSubstr("the patch was refused: SYMLINK link: leaves the tree"));
  EXPECT_TRUE(ListCheckpoints().empty());
}

TEST_F(FailureTest, ASkippedTaskLetsItsDependentsRun) {
  reviewer_.inspect = [](const auto& request, auto& response) {
    if (request.attempt().find("/tasks/a/") != std::string::npos) return Refuse(request, response);
    response.mutable_accepted();
    return grpc::Status::OK;
  };
  AddAgent();
  ASSERT_OK(Submit(Plan({"a", "b:a"})));
  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);

  ASSERT_OK(Resolve(GetTask("a").checkpoint(), v1::Checkpoint::DECISION_SKIP).status());

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(GetTask("a").state(), v1::Task::STATE_SKIPPED);
  EXPECT_EQ(GetTask("b").state(), v1::Task::STATE_MERGED);
}

TEST_F(FailureTest, AFailedTaskSkipsItsDependentsAndFailsTheRun) {
  reviewer_.inspect = Refuse;
  AddAgent();
  ASSERT_OK(Submit(Plan({"a", "b:a", "c:b"})));
  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);
  const std::string checkpoint = GetTask("a").checkpoint();

  ASSERT_OK(Resolve(checkpoint, v1::Checkpoint::DECISION_FAIL, "give up").status());

  ExpectRun(v1::Run::STATE_FAILED);
  EXPECT_EQ(GetTask("c").state(), v1::Task::STATE_SKIPPED);
  EXPECT_EQ(GetTask("c").reason(), "DEPENDENCY");
}

TEST_F(FailureTest, AnEditedTaskRunsWithItsNewDescription) {
  reviewer_.inspect = Refuse;
  FakeAgent& agent = AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);
  const std::string checkpoint = GetTask("a").checkpoint();
  EXPECT_THAT(Resolve(checkpoint, v1::Checkpoint::DECISION_EDIT),
              FailsWithReason("DECISION_INVALID"));
  EXPECT_THAT(Resolve(checkpoint, v1::Checkpoint::DECISION_ACCEPT),
              FailsWithReason("DECISION_INVALID"));
  reviewer_.inspect = nullptr;

  ASSERT_OK(Resolve(checkpoint, v1::Checkpoint::DECISION_EDIT, "do less").status());

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(agent.grants().back().write_change().description(), "do less");
  ASSERT_OK(Resolve(checkpoint, v1::Checkpoint::DECISION_EDIT, "do less").status());
  EXPECT_THAT(Resolve(checkpoint, v1::Checkpoint::DECISION_SKIP),
              FailsWithReason("CHECKPOINT_RESOLVED"));
}

TEST_F(FailureTest, APersonLetsAQuarantinedPatchThrough) {
  reviewer_.inspect = [](const auto& request, auto& response) {
    if (request.approver() == "alice") {
      response.mutable_accepted();
      return grpc::Status::OK;
    }
    response.mutable_refused()->set_human_may_accept(true);
    response.mutable_refused()->add_reasons()->set_code("PROTECTED");
    return grpc::Status::OK;
  };
  FakeAgent& agent = AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);
  EXPECT_EQ(ListCheckpoints().at(0).reason(), "QUARANTINE");

  ASSERT_OK(Resolve(GetTask("a").checkpoint(), v1::Checkpoint::DECISION_ACCEPT).status());

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(agent.grants().size(), 1u) << "the patch was used as it was";
}

TEST_F(FailureTest, APersonMergesWhatTheCriticLeftOpen) {
  std::string approver;
  reviewer_.judge = [](const auto&, auto& response) {
    response.set_verdict(reviewer::v1::VERDICT_HUMAN_NEEDED);
    response.set_summary("is this wanted?");
    return grpc::Status::OK;
  };
  reviewer_.merge = [&](const auto& request, auto&) {
    if (!request.approver().empty()) approver = request.approver();
    return grpc::Status::OK;
  };
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);

  ASSERT_OK(Resolve(GetTask("a").checkpoint(), v1::Checkpoint::DECISION_ACCEPT).status());

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(approver, "alice");
}

TEST_F(FailureTest, GapsOfTheReviewAreToldToTheNextAttempt) {
  std::atomic<int> verdicts = 0;
  reviewer_.judge = [&](const auto&, auto& response) {
    const bool first = verdicts++ == 0;
    response.set_verdict(first ? reviewer::v1::VERDICT_GAPS_FOUND : reviewer::v1::VERDICT_PASSED);
    if (first) response.add_gaps("no test");
    return grpc::Status::OK;
  };
  FakeAgent& agent = AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  EXPECT_THAT(agent.grants().back().write_change().feedback(0), HasSubstr("no test"));
}

TEST_F(FailureTest, AConflictIsWrittenAgainOnTheNewTipWithoutAnAgentRetry) {
  std::atomic<int> tries = 0;
  reviewer_.candidate = [&](const auto& request, auto& response) {
    const std::string change = request.has_plan() ? request.plan() : request.attempt();
    if (change.find("/tasks/b/") != std::string::npos && tries++ == 0) {
      auto& path = *response.mutable_conflict()->add_paths();
      path.set_path("main.py");
      path.set_hunks("<<<<<<<");
      return grpc::Status::OK;
    }
    FakeReviewer::FillCandidate(change, false, response);
    return grpc::Status::OK;
  };
  FakeAgent& agent = AddAgent();
  ASSERT_OK(Submit(Plan({"a", "b"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  const v1::Task task = GetTask("b");
  EXPECT_EQ(task.retries().at("conflict"), 1);
  EXPECT_EQ(task.retries().count("agent"), 0u);
  EXPECT_THAT(agent.grants().back().write_change().feedback(0), HasSubstr("main.py"));
}

TEST_F(FailureTest, ABranchThatMovedGetsANewCandidate) {
  std::atomic<int> tries = 0;
  reviewer_.merge = [&](const auto& request, auto&) {
    if (request.candidate().find("/tasks/a/") == std::string::npos || tries++ > 0) {
      return grpc::Status::OK;
    }
    return rpc::ToGrpcStatus(base::Error(absl::StatusCode::kAborted, "BRANCH_MOVED", "moved"));
  };
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  EXPECT_THAT(reviewer_.merged(), ::testing::SizeIs(2));
  EXPECT_EQ(ListAttempts("a").size(), 1u);
}

TEST_F(FailureTest, AStepThatKeepsFailingAsksAPerson) {
  reviewer_.inspect = [](const auto&, auto&) {
    return rpc::ToGrpcStatus(base::Error(absl::StatusCode::kFailedPrecondition, "BASE_UNKNOWN",
                                         "the base is not in the mirror"));
  };
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));

  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);

  EXPECT_EQ(ListCheckpoints().at(0).reason(), "STEP_FAILED");
  EXPECT_THAT(ListCheckpoints().at(0).question(), HasSubstr("the base is not in the mirror"));
}

TEST_F(FailureTest, ADeniedBudgetPausesAndARaiseResumesWithoutARetry) {
  std::atomic<bool> denied = true;
  AddAgent([&](const agent::v1::Grant& grant) -> std::optional<agent::v1::SubmitResultRequest> {
    if (!denied) return FakeAgent::Change(grant);
    agent::v1::SubmitResultRequest result = FakeAgent::ResultOf(grant);
    result.mutable_stop()->set_reason(agent::v1::Stop::REASON_BUDGET);
    return result;
  });
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_PAUSED);
  EXPECT_EQ(GetTask("a").reason(), "budget");
  EXPECT_EQ(ListAttempts("a").at(0).state(), v1::Attempt::STATE_PAUSED);
  ledger_.ChangeBudget("projects/other", 1, 2);
  ledger_.ChangeBudget("projects/demo", 2, 1);
  denied = false;

  ledger_.ChangeBudget("projects/demo", 1, 2);

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_TRUE(GetTask("a").retries().empty());
  EXPECT_EQ(ListAttempts("a").size(), 2u);
}

TEST_F(FailureTest, ADeniedVerdictResumesWhereItPaused) {
  std::atomic<bool> denied = true;
  reviewer_.judge = [&](const auto&, auto& response) {
    if (denied) {
      return rpc::ToGrpcStatus(
          base::Error(absl::StatusCode::kResourceExhausted, "BUDGET_DENIED", "no money"));
    }
    response.set_verdict(reviewer::v1::VERDICT_PASSED);
    return grpc::Status::OK;
  };
  FakeAgent& agent = AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_PAUSED);
  denied = false;

  ledger_.ChangeBudget("organisation", 5, -1);

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(agent.grants().size(), 1u);
}

TEST_F(FailureTest, ASilentAgentLosesItsGrantAndItsLateResultIsSalvaged) {
  server_.reset();
  config_.mutable_lease_timeout()->set_seconds(0);
  config_.mutable_lease_timeout()->set_nanos(200'000'000);
  Restart();
  FakeAgent& silent = AddAgent([](const agent::v1::Grant&) { return std::nullopt; });
  ASSERT_OK(Submit(Plan({"a"})));
  ASSERT_TRUE(Eventually([&] { return silent.grants().size() == 1; }));
  ASSERT_TRUE(Eventually([&] {
    return !ListAttempts("a").empty() && ListAttempts("a")[0].state() == v1::Attempt::STATE_LOST;
  }));
  EXPECT_EQ(ListAttempts("a")[0].reason(), "LEASE_EXPIRED");
  AddAgent();
  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(GetTask("a").retries().count("agent"), 0u);

  const auto receipt = silent.Submit(FakeAgent::Change(silent.grants()[0]));

  ASSERT_OK(receipt.status());
  EXPECT_EQ(receipt->receipt(), agent::v1::SubmitResultResponse::RECEIPT_STALE);
  EXPECT_EQ(ListAttempts("a")[0].state(), v1::Attempt::STATE_SALVAGED);
  EXPECT_EQ(Events("stale.refused").size(), 1u);
  EXPECT_EQ(GetTask("a").state(), v1::Task::STATE_MERGED);
}

TEST_F(FailureTest, ARepeatedResultGetsTheSameReceipt) {
  FakeAgent& agent = AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_MERGED);

  const auto receipt = agent.Submit(FakeAgent::Change(agent.grants()[0]));

  ASSERT_OK(receipt.status());
  EXPECT_EQ(receipt->receipt(), agent::v1::SubmitResultResponse::RECEIPT_ACCEPTED);
  EXPECT_EQ(ListAttempts("a").size(), 1u);
}

TEST_F(FailureTest, ResultsOfTheWrongKindAndUnknownTokensAreRefused) {
  FakeAgent& agent = AddAgent([](const agent::v1::Grant&) { return std::nullopt; });
  ASSERT_OK(Submit(Plan({"a"})));
  ASSERT_TRUE(Eventually([&] { return agent.grants().size() == 1; }));
  const agent::v1::Grant grant = agent.grants()[0];
  EXPECT_THAT(agent.Submit(FakeAgent::ResultOf(grant)), FailsWithReason("RESULT_MISSING"));
  EXPECT_THAT(agent.Submit(FakeAgent::Evidence(grant, true)), FailsWithReason("RESULT_MISSING"));
  EXPECT_THAT(agent.GetSnapshot(grant), testkit::IsOkAndHolds("pack of base."));
  EXPECT_THAT(agent.GetSnapshot(grant, {"newer", "older"}),
              testkit::IsOkAndHolds("older->pack of base."));
  const std::vector<std::string> too_many(1'000, "known");
  std::vector<std::string> cached = {"first"};
  cached.insert(cached.end(), too_many.begin(), too_many.end());
  cached.push_back("beyond");
  EXPECT_THAT(agent.GetSnapshot(grant, cached), testkit::IsOkAndHolds("known->pack of base."));

  FakeAgent& stranger =
      AddAgent({.name = "stranger", .token = "not a token of anybody"}, FakeAgent::Obedient);

  ASSERT_TRUE(Eventually([&] { return stranger.ended().has_value(); }));
  EXPECT_THAT(*stranger.ended(), FailsWithReason("TOKEN_INVALID"));
  EXPECT_THAT(stranger.Submit(FakeAgent::Change(grant)), FailsWithReason("TOKEN_INVALID"));
  EXPECT_THAT(stranger.GetSnapshot(grant), FailsWithReason("TOKEN_INVALID"));
}

}  // namespace
}  // namespace slipway::dispatcher
