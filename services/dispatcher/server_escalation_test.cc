// Failures that are not tried again for ever, and what attempts leave when they are ended early.
#include "services/dispatcher/testing/server_fixture.h"

namespace slipway::dispatcher {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testkit::FailsWithReason;

grpc::Status RefuseLink(const reviewer::v1::InspectRequest&,
                        reviewer::v1::InspectResponse& response) {
  auto& reason = *response.mutable_refused()->add_reasons();
  reason.set_code("SYMLINK");
  reason.set_path("link");
  reason.set_detail("leaves the tree");
  return grpc::Status::OK;
}

class EscalationTest : public ServerFixture {
 protected:
  // An agent that dials again while the one of its name before it is not known to be gone, until
  // `settled`.
  FakeAgent& AddSuccessor(const FakeAgent::Options& options, const FakeAgent::Script& script,
                          const std::function<bool(FakeAgent&)>& settled) {
    FakeAgent* agent = nullptr;
    EXPECT_TRUE(Eventually([&] {
      if (agent == nullptr || agent->ended().has_value()) agent = &AddAgent(options, script);
      return settled(*agent);
    }));
    return *agent;
  }
};

TEST_F(EscalationTest, TheSameFailureTwiceInARowIsNotTriedAThirdTime) {
  reviewer_.inspect = RefuseLink;
  FakeAgent& agent = AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);
  const std::vector<v1::Checkpoint> open = ListCheckpoints();
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].reason(), "SAME_FAILURE");
  EXPECT_THAT(open[0].question(), HasSubstr("2 times in a row"));
  EXPECT_EQ(agent.grants().size(), 2u);
  reviewer_.inspect = nullptr;

  ASSERT_OK(Resolve(open[0].name(), v1::Checkpoint::DECISION_RETRY, "no links").status());

  ExpectRun(v1::Run::STATE_SUCCEEDED);
}

TEST_F(EscalationTest, AQuestionIsDiagnosedAndARetryWithoutGuidanceSaysWhatWasAdvised) {
  reviewer_.inspect = RefuseLink;
  reviewer_.diagnose = [](const reviewer::v1::DiagnoseRequest& request,
                          reviewer::v1::DiagnoseResponse& response) {
    EXPECT_EQ(request.feedback_size(), 2);
    EXPECT_THAT(request.feedback(0), HasSubstr("SYMLINK link: leaves the tree"));
    EXPECT_FALSE(request.question().empty());
    response.set_cause("the agents link what they should copy");
    response.add_findings("both patches add a link");
    response.set_guidance("copy the file");
    response.set_advice(reviewer::v1::DiagnoseResponse::ADVICE_RETRY);
    response.set_role("frontier_reviewer");
    return grpc::Status::OK;
  };
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);
  ASSERT_TRUE(Eventually([&] { return ListCheckpoints().at(0).has_diagnosis(); }));
  const v1::Checkpoint asked = ListCheckpoints().at(0);
  EXPECT_EQ(asked.diagnosis().cause(), "the agents link what they should copy");
  EXPECT_EQ(asked.diagnosis().advice(), v1::Checkpoint::DECISION_RETRY);
  EXPECT_THAT(asked.diagnosis().findings(), ElementsAre("both patches add a link"));
  Restart();
  EXPECT_EQ(ListCheckpoints().at(0).diagnosis().guidance(), "copy the file") << "it is stored";
  reviewer_.inspect = nullptr;
  FakeAgent& agent = AddAgent();

  ASSERT_OK(Resolve(asked.name(), v1::Checkpoint::DECISION_RETRY).status());

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  ASSERT_FALSE(agent.grants().empty());
  EXPECT_EQ(agent.grants().back().write_change().guidance(), "copy the file");
  EXPECT_EQ(reviewer_.Count("Diagnose " + asked.name()), 1);
}

TEST_F(EscalationTest, WithoutMoneyTheQuestionSaysWhyThereIsNoDiagnosis) {
  reviewer_.inspect = RefuseLink;
  reviewer_.diagnose = [](const auto&, auto&) {
    return rpc::ToGrpcStatus(base::Error(absl::StatusCode::kResourceExhausted, "BUDGET_DENIED",
                                         "the budget of the plan is spent"));
  };
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);
  ASSERT_TRUE(Eventually([&] { return ListCheckpoints().at(0).has_diagnosis(); }));
  EXPECT_EQ(ListCheckpoints()[0].diagnosis().problem(),
            "BUDGET_DENIED: the budget of the plan is spent");
  EXPECT_EQ(reviewer_.Count("Diagnose " + ListCheckpoints()[0].name()), 1);
}

TEST_F(EscalationTest, ADiagnosisThatWasUnderWayIsAskedForAgainAfterARestart) {
  reviewer_.inspect = RefuseLink;
  reviewer_.diagnose = [](const auto&, auto&) {
    return rpc::ToGrpcStatus(absl::UnavailableError("models is away"));
  };
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);
  const std::string asked = ListCheckpoints().at(0).name();
  ASSERT_TRUE(Eventually([&] { return reviewer_.Count("Diagnose " + asked) > 0; }));
  EXPECT_FALSE(ListCheckpoints()[0].has_diagnosis());
  server_.reset();
  reviewer_.diagnose = [](const auto&, reviewer::v1::DiagnoseResponse& response) {
    response.set_cause("no links");
    response.set_role("frontier_reviewer");
    return grpc::Status::OK;
  };
  Restart();
  ASSERT_TRUE(Eventually([&] { return ListCheckpoints().at(0).has_diagnosis(); }));
  EXPECT_EQ(ListCheckpoints()[0].diagnosis().cause(), "no links");
}

TEST_F(EscalationTest, AFailureOfSeveralTasksPausesTheirPlanWithOneQuestion) {
  reviewer_.inspect = RefuseLink;
  ASSERT_OK(Submit(Plan({"a", "b", "c", "d", "e"})));
  for (int i = 0; i < 3; ++i) AddAgent([](const agent::v1::Grant&) { return std::nullopt; });
  for (const auto& agent : agents_) {
    ASSERT_TRUE(Eventually([&] { return agent->grants().size() == 1; }));
  }
  for (const auto& agent : agents_) {
    ASSERT_OK(agent->Submit(FakeAgent::Change(agent->grants()[0])).status());
  }
  ASSERT_TRUE(Eventually([&] { return ListCheckpoints().size() == 1; }));
  const v1::Checkpoint asked = ListCheckpoints().front();
  EXPECT_EQ(asked.reason(), "FAILURE_PATTERN") << asked.question();
  EXPECT_THAT(asked.question(), HasSubstr("3 tasks of the plan failed in the same way"));
  EXPECT_TRUE(GetRun().paused());
  reviewer_.inspect = nullptr;
  RemoveAgents();
  AddAgent();
  ASSERT_TRUE(Eventually([&] {
    const auto hosts = Call(&v1::DispatcherService::Stub::ListHosts, v1::ListHostsRequest());
    return hosts.ok() && hosts->hosts(0).agents() == 1;
  }));
  EXPECT_TRUE(ListAttempts("d").empty()) << "nothing more is spent";

  ASSERT_OK(Resolve(asked.name(), v1::Checkpoint::DECISION_RETRY, "no links").status());

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_FALSE(GetRun().paused());
}

TEST_F(EscalationTest, ATaskThatAgentsDieOfIsGivenToNoOther) {
  const auto silent = [](const agent::v1::Grant&) { return std::nullopt; };
  ASSERT_OK(Submit(Plan({"a"})));
  for (int64_t boot = 1; boot <= 3; ++boot) {
    FakeAgent& agent = AddSuccessor({.name = "mortal", .boot_nonce = boot}, silent,
                                    [](auto& one) { return one.grants().size() == 1; });
    ExpectTask("a", v1::Task::STATE_RUNNING);
    agent.Leave();
  }
  FakeAgent& last =
      AddSuccessor({.name = "mortal", .boot_nonce = 4}, FakeAgent::Obedient,
                   [this](auto&) { return GetTask("a").state() == v1::Task::STATE_NEEDS_HUMAN; });

  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);
  EXPECT_TRUE(last.grants().empty());
  const v1::Checkpoint asked = ListCheckpoints().at(0);
  EXPECT_EQ(asked.reason(), "POISON") << asked.question();
  EXPECT_TRUE(GetTask("a").retries().empty() || GetTask("a").retries().count("agent") == 0);

  ASSERT_OK(Resolve(asked.name(), v1::Checkpoint::DECISION_RETRY).status());
  ExpectRun(v1::Run::STATE_SUCCEEDED);
}

TEST_F(EscalationTest, AnAttemptOfWhichNothingIsObservedIsPointedOutStoppedAndInTheEndAsked) {
  server_.reset();
  config_.mutable_stall_timeout()->set_nanos(150'000'000);
  Restart();
  ASSERT_OK(Submit(Plan({"a"})));
  for (int i = 0; i < 3; ++i) {
    FakeAgent& agent = AddAgent([](const agent::v1::Grant&) { return std::nullopt; });
    ASSERT_TRUE(Eventually([&] { return agent.grants().size() == 1; }));
    ASSERT_TRUE(Eventually([&] {
      agent.SendBeat();  // It lives.
      const auto verdicts = agent.verdicts();
      return !verdicts.empty() &&
             verdicts.back().verdict() == agent::v1::GrantVerdict::VERDICT_STOP;
    }));
    agent.Leave();
  }
  ExpectTask("a", v1::Task::STATE_NEEDS_HUMAN);
  EXPECT_EQ(ListCheckpoints().at(0).reason(), "STALLED");
  ASSERT_EQ(ListAttempts("a").size(), 3u);
  EXPECT_EQ(ListAttempts("a")[0].reason(), "STALLED");
  EXPECT_EQ(ListAttempts("a")[0].state(), v1::Attempt::STATE_FAILED);
  EXPECT_EQ(Events("attempt.progressed").size(), 3u) << "each was pointed out";
  EXPECT_EQ(GetTask("a").retries().at("stall"), 2);
}

TEST_F(EscalationTest, WhatAnAttemptThatWasEndedEarlyLeftIsShownToPeopleAndToldToTheNext) {
  server_.reset();
  config_.mutable_lease_timeout()->set_seconds(0);
  config_.mutable_lease_timeout()->set_nanos(200'000'000);
  Restart();
  FakeAgent& silent = AddAgent([](const agent::v1::Grant&) { return std::nullopt; });
  ASSERT_OK(Submit(Plan({"a"})));
  ASSERT_TRUE(Eventually([&] {
    return !ListAttempts("a").empty() && ListAttempts("a")[0].state() == v1::Attempt::STATE_LOST;
  }));
  v1::GetHandoffRequest request;
  request.set_attempt(ListAttempts("a")[0].name());
  const auto nothing = Call(&v1::DispatcherService::Stub::GetHandoff, request);
  ASSERT_OK(nothing.status());
  EXPECT_FALSE(nothing->has_change());
  agent::v1::SubmitResultRequest late = FakeAgent::Change(silent.grants()[0]);
  late.mutable_change()->set_summary("half of it");
  ASSERT_OK(silent.Submit(late).status());

  AddAgent();

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  const auto handoff = Call(&v1::DispatcherService::Stub::GetHandoff, request);
  ASSERT_OK(handoff.status());
  EXPECT_TRUE(handoff->has_change() && handoff->salvaged());
  EXPECT_EQ(handoff->patch(), late.change().patch());
  EXPECT_EQ(handoff->patch_bytes(), static_cast<int64_t>(late.change().patch().size()));
  EXPECT_EQ(handoff->summary(), "half of it");
  EXPECT_EQ(handoff->attempt().reason(), "LEASE_EXPIRED");
  const v1::Attempt next = ListAttempts("a")[1];
  ASSERT_EQ(next.feedback_size(), 1);
  EXPECT_THAT(next.feedback(0), HasSubstr("attempt 1 was ended early (LEASE_EXPIRED)"));
  EXPECT_THAT(next.feedback(0), HasSubstr("half of it"));
  EXPECT_THAT(next.feedback(0), HasSubstr(late.change().patch()));
  request.set_attempt("projects/demo/plans/2026-11-21-export/tasks/a/attempts/99");
  EXPECT_THAT(Call(&v1::DispatcherService::Stub::GetHandoff, request),
              FailsWithReason("ATTEMPT_UNKNOWN"));
}

}  // namespace
}  // namespace slipway::dispatcher
