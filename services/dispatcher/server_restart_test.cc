// A dispatcher that ends in the middle of each state, and starts again on the same database.
#include "services/dispatcher/testing/server_fixture.h"

namespace slipway::dispatcher {
namespace {

constexpr char kTaskA[] = "projects/demo/plans/2026-11-21-export/tasks/a";

std::optional<agent::v1::SubmitResultRequest> Silent(const agent::v1::Grant&) {
  return std::nullopt;
}

grpc::Status Away() { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the service is away"); }

class RestartTest : public ServerFixture {
 protected:
  void RestartWithAgents() {
    RemoveAgents();
    Restart();
    AddAgent();
  }
};

TEST_F(RestartTest, ReadyTasksAreGranted) {
  ASSERT_OK(Submit(Plan({"a", "b:a"})));

  RestartWithAgents();

  ExpectRun(v1::Run::STATE_SUCCEEDED);
}

TEST_F(RestartTest, AnOfferIsTakenBackWithoutCharge) {
  AddAgent({.name = "shy", .takes_grants = false}, Silent);
  ASSERT_OK(Submit(Plan({"a"})));
  ASSERT_TRUE(Eventually([&] { return !ListAttempts("a").empty(); }));

  RestartWithAgents();

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(ListAttempts("a").at(0).state(), v1::Attempt::STATE_REVOKED);
  EXPECT_TRUE(GetTask("a").retries().empty());
}

TEST_F(RestartTest, AnAgentThatComesBackKeepsItsAttempt) {
  FakeAgent& agent = AddAgent({.name = "steady"}, Silent);
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_RUNNING);
  const agent::v1::Grant grant = agent.grants().at(0);
  RemoveAgents();
  Restart();
  agent::v1::HeldGrant held;
  held.set_attempt(grant.attempt());
  held.set_epoch(grant.epoch());

  FakeAgent& back = AddAgent({.name = "steady", .held = {held}}, FakeAgent::Obedient);

  ASSERT_TRUE(Eventually([&] { return !back.verdicts().empty(); }));
  EXPECT_EQ(back.verdicts()[0].verdict(), agent::v1::GrantVerdict::VERDICT_KEEP);
  const auto receipt = back.Submit(FakeAgent::Change(grant));
  ASSERT_OK(receipt.status());
  EXPECT_EQ(receipt->receipt(), agent::v1::SubmitResultResponse::RECEIPT_ACCEPTED);
  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(ListAttempts("a").size(), 1u);
}

TEST_F(RestartTest, InspectionIsTakenUp) {
  reviewer_.inspect = [](const auto&, auto&) { return Away(); };
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_INSPECTING);
  server_.reset();
  reviewer_.inspect = nullptr;

  RestartWithAgents();

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(ListAttempts("a").size(), 1u);
}

TEST_F(RestartTest, ValidationIsTakenUp) {
  reviewer_.with_validators = true;
  reviewer_.evidence = [](const auto&, auto&) { return Away(); };
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ASSERT_TRUE(Eventually([&] {
    return ListAttempts("a").size() == 2 &&
           ListAttempts("a")[1].state() == v1::Attempt::STATE_REPORTED;
  }));
  server_.reset();
  reviewer_.evidence = nullptr;

  RestartWithAgents();

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(ListAttempts("a").size(), 2u) << "the evidence was not made twice";
}

TEST_F(RestartTest, JudgementIsTakenUp) {
  reviewer_.judge = [](const auto&, auto&) { return Away(); };
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_JUDGING);
  server_.reset();
  reviewer_.judge = nullptr;

  RestartWithAgents();

  ExpectRun(v1::Run::STATE_SUCCEEDED);
}

TEST_F(RestartTest, AMergeWhoseAnswerWasLostIsNotMadeTwice) {
  std::atomic<bool> lost = false;
  reviewer_.merge = [&](const auto&, auto&) { return lost ? Away() : grpc::Status::OK; };
  lost = true;
  AddAgent();
  ASSERT_OK(Submit(Plan({"a", "b:a"})));
  ExpectTask("a", v1::Task::STATE_MERGING);
  server_.reset();
  lost = false;

  RestartWithAgents();

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(reviewer_.merged().size(), 3u);
}

TEST_F(RestartTest, QuestionsAndPausesAndTheLedgersCursorAreKept) {
  reviewer_.judge = [](const auto&, auto& response) {
    response.set_verdict(reviewer::v1::VERDICT_HUMAN_NEEDED);
    return grpc::Status::OK;
  };
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);
  ledger_.ChangeBudget("projects/demo", 1, 2);
  v1::PauseRequest pause;
  pause.set_scope("everything");
  ASSERT_OK(Call(&v1::DispatcherService::Stub::Pause, pause).status());
  ASSERT_TRUE(Eventually([&] {
    server_.reset();
    Restart();
    return ledger_.tokens().back() == "1";
  }));

  ASSERT_OK(Resolve(GetTask("a").checkpoint(), v1::Checkpoint::DECISION_ACCEPT).status());
  EXPECT_TRUE(GetRun().paused());
  EXPECT_EQ(GetTask("a").state(), v1::Task::STATE_MERGING);
  v1::ResumeRequest resume;
  resume.set_scope("everything");
  ASSERT_OK(Call(&v1::DispatcherService::Stub::Resume, resume).status());

  ExpectRun(v1::Run::STATE_SUCCEEDED);
}

TEST_F(RestartTest, EveryChangeHasItsEventInOrder) {
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectRun(v1::Run::STATE_SUCCEEDED);
  RestartWithAgents();

  std::vector<std::string> states;
  for (const events::v1::Event& event : Events("task.state_changed")) {
    if (event.task() == kTaskA) states.push_back(event.payload().task_state_changed().to());
  }

  EXPECT_THAT(states, ::testing::ElementsAre("READY", "RUNNING", "INSPECTING", "JUDGING", "MERGING",
                                             "MERGED"));
}

}  // namespace
}  // namespace slipway::dispatcher
