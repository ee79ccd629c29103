// Changes to a run of a whole dispatcher.
#include "services/dispatcher/testing/server_fixture.h"

namespace slipway::dispatcher {
namespace {

using testkit::FailsWithReason;
using Service = v1::DispatcherService::Stub;

constexpr char kPlan[] = "projects/demo/plans/2026-11-21-export";

std::optional<agent::v1::SubmitResultRequest> Silent(const agent::v1::Grant&) {
  return std::nullopt;
}

class AmendTest : public ServerFixture {
 protected:
  // Version 2: adds "new" after "a", takes "c" out, makes "b" free and urgent.
  static v1::AmendPlanRequest Request() {
    v1::AmendPlanRequest request;
    v1::PlanAmendment& amendment = *request.mutable_amendment();
    amendment.set_plan(kPlan);
    amendment.set_version(2);
    amendment.set_base_version(1);
    amendment.set_actor("ada");
    *amendment.add_added_tasks() = Plan({"new:a"}).tasks(0);
    v1::TaskChange& change = *amendment.add_changed_tasks();
    change.mutable_spec()->set_id("b");
    change.mutable_spec()->set_priority(9);
    change.mutable_spec()->set_description("Do b well");
    change.add_fields("priority");
    change.add_fields("description");
    change.add_fields("depends_on");
    amendment.add_removed_tasks("c");
    return request;
  }

  absl::StatusOr<v1::Run> Amend(const v1::AmendPlanRequest& request) {
    const auto response = Call(&Service::AmendPlan, request);
    if (!response.ok()) return response.status();
    return response->run();
  }
};

TEST_F(AmendTest, AnAmendedRunEndsAsTheAmendedPlanSays) {
  ASSERT_OK(Submit(Plan({"a", "b:a", "c:b"})));
  v1::AmendPlanRequest check = Request();
  check.set_validate_only(true);
  ASSERT_OK(Amend(check).status());
  EXPECT_EQ(GetRun().version(), 1);

  ASSERT_OK_AND_ASSIGN(const v1::Run amended, Amend(Request()));

  EXPECT_EQ(amended.version(), 2);
  EXPECT_EQ(GetTask("b").state(), v1::Task::STATE_READY);
  EXPECT_EQ(GetTask("b").spec().description(), "Do b well");
  EXPECT_EQ(GetTask("b").spec().title(), "Task b");
  EXPECT_EQ(GetTask("c").state(), v1::Task::STATE_SKIPPED);
  EXPECT_EQ(GetTask("c").reason(), "REMOVED");
  EXPECT_EQ(GetTask("new").state(), v1::Task::STATE_BLOCKED);
  FakeAgent& agent = AddAgent();
  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(GetTask("new").state(), v1::Task::STATE_MERGED);
  EXPECT_TRUE(ListAttempts("c").empty());
  EXPECT_EQ(agent.grants().at(0).attempt(), absl::StrCat(kPlan, "/tasks/b/attempts/1"));
}

TEST_F(AmendTest, AnAmendmentIsOneTransactionThatARestartKeepsAndARepeatDoesNotRepeat) {
  ASSERT_OK(Submit(Plan({"a", "b:a", "c:b"})));
  ASSERT_OK(Amend(Request()).status());

  Restart();

  ASSERT_OK(Amend(Request()).status());
  EXPECT_EQ(GetRun().version(), 2);
  EXPECT_EQ(GetTask("new").state(), v1::Task::STATE_BLOCKED);
  EXPECT_EQ(GetTask("b").spec().priority(), 9);
  const auto events = Events("run.amended");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].payload().run_amended().actor(), "ada");
  EXPECT_EQ(events[0].payload().run_amended().removed(0), "c");
  v1::AmendPlanRequest other = Request();
  other.mutable_amendment()->clear_added_tasks();
  EXPECT_THAT(Amend(other), FailsWithReason("PLAN_SUBMITTED"));
  AddAgent();
  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(ListAttempts("new").size(), 1u);
  ASSERT_OK(Amend(Request()).status()) << "a repeat after the end";
}

TEST_F(AmendTest, NothingIsAmendedWhenATouchedTaskHasBegun) {
  AddAgent(Silent);
  ASSERT_OK(Submit(Plan({"b", "c:b"})));
  ExpectTask("b", v1::Task::STATE_RUNNING);
  v1::AmendPlanRequest request = Request();
  request.mutable_amendment()->mutable_added_tasks(0)->clear_depends_on();

  const absl::StatusOr<v1::Run> amended = Amend(request);

  EXPECT_THAT(amended, FailsWithReason("TASKS_BEGUN"));
  EXPECT_THAT(std::string(amended.status().message()), ::testing::HasSubstr("'b' is RUNNING"));
  EXPECT_EQ(GetTask("c").state(), v1::Task::STATE_BLOCKED);
  EXPECT_EQ(GetTask("new").name(), "");
  EXPECT_EQ(GetRun().version(), 1);
  EXPECT_TRUE(Events("run.amended").empty());
}

TEST_F(AmendTest, NamesAndRunsAreChecked) {
  v1::AmendPlanRequest request = Request();
  EXPECT_THAT(Amend(request), FailsWithReason("RUN_UNKNOWN"));
  request.mutable_amendment()->set_plan("plans/x");
  EXPECT_THAT(Amend(request), FailsWithReason("NAME_INVALID"));
}

}  // namespace
}  // namespace slipway::dispatcher
