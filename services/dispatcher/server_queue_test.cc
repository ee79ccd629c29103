// What a dispatcher makes of the answers of the merge queue.
#include "absl/strings/match.h"
#include "lib/base/error.h"
#include "services/dispatcher/testing/server_fixture.h"

namespace slipway::dispatcher {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kPlanName[] = "projects/demo/plans/2026-11-21-export";

std::string AttemptOf(const std::string& task, int epoch) {
  return absl::StrCat(kPlanName, "/tasks/", task, "/attempts/", epoch);
}

bool IsOf(const std::string& name, const std::string& task) {
  return absl::StrContains(name, absl::StrCat("/tasks/", task, "/"));
}

class QueueTest : public ServerFixture {
 protected:
  // A plan whose changes do not land at once: it has a validator, which the reviewer knows the
  // verdict of, unless a test says otherwise.
  static v1::PlanSpec Queued(const std::vector<std::string>& tasks) {
    v1::PlanSpec spec = Plan(tasks);
    common::v1::Validator& validator = *spec.mutable_policy()->add_validators();
    validator.set_name("unit-tests");
    validator.add_command("true");
    return spec;
  }

  // The agent that has a task at work waits for `go` before it hands in the change of `task`.
  FakeAgent::Script HandsInAfter(const std::string& task, const std::atomic<bool>& go) {
    return [task, &go](const agent::v1::Grant& grant) {
      EXPECT_TRUE(!IsOf(grant.attempt(), task) || Eventually([&] { return go.load(); }));
      return FakeAgent::Obedient(grant);
    };
  }
};

TEST_F(QueueTest, EachQuestionTellsTheOrderInWhichChangesWereAccepted) {
  std::atomic<bool> first_is_judged = false;
  base::Mutex mutex;
  std::vector<std::string> order;
  reviewer_.judge = [&](const reviewer::v1::JudgeRequest& request, auto& response) {
    response.set_verdict(reviewer::v1::VERDICT_PASSED);
    if (!IsOf(request.candidate(), "a")) return grpc::Status::OK;
    first_is_judged = true;
    EXPECT_TRUE(Eventually([&] {
      base::MutexLock lock(mutex);
      return !order.empty();
    }));
    return grpc::Status::OK;
  };
  reviewer_.candidate = [&](const reviewer::v1::CreateCandidateRequest& request, auto& response) {
    if (IsOf(request.attempt(), "b")) {
      base::MutexLock lock(mutex);
      order = {request.queue().begin(), request.queue().end()};
    }
    FakeReviewer::FillCandidate(request.has_plan() ? request.plan() : request.attempt(), false,
                                response);
    return grpc::Status::OK;
  };
  AddAgent(HandsInAfter("b", first_is_judged));
  AddAgent(HandsInAfter("b", first_is_judged));
  ASSERT_OK(Submit(Queued({"a", "b"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  EXPECT_THAT(order, ElementsAre(AttemptOf("a", 1), AttemptOf("b", 1)));
}

TEST_F(QueueTest, AChangeThatWaitsIsAskedForAgainWhenAnotherHasLanded) {
  std::atomic<bool> waited = false;
  std::atomic<bool> landed = false;
  reviewer_.candidate = [&](const reviewer::v1::CreateCandidateRequest& request, auto& response) {
    if (IsOf(request.attempt(), "b") && !landed) {
      response.mutable_queued()->set_detail("a is being tried");
      waited = true;
      return grpc::Status::OK;
    }
    FakeReviewer::FillCandidate(request.has_plan() ? request.plan() : request.attempt(), false,
                                response);
    return grpc::Status::OK;
  };
  reviewer_.merge = [&](const reviewer::v1::MergeRequest& request, auto&) {
    if (IsOf(request.candidate(), "a")) landed = true;
    return grpc::Status::OK;
  };
  AddAgent(HandsInAfter("a", waited));
  AddAgent(HandsInAfter("a", waited));
  ASSERT_OK(Submit(Queued({"a", "b"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  EXPECT_EQ(ListAttempts("b").size(), 1u);
  EXPECT_TRUE(GetTask("b").retries().empty());
}

TEST_F(QueueTest, AChangeThatLandsBeforeItsTurnCostsNoRetryAndNoQuestion) {
  std::atomic<int> tries = 0;
  reviewer_.merge = [&](const reviewer::v1::MergeRequest& request, auto&) {
    if (!IsOf(request.candidate(), "b") || ++tries > 1) return grpc::Status::OK;
    return rpc::ToGrpcStatus(
        base::Error(absl::StatusCode::kAborted, "QUEUE_WAITING", "a has yet to land"));
  };
  std::atomic<bool> go = false;
  AddAgent(HandsInAfter("a", go));
  AddAgent(HandsInAfter("a", go));
  ASSERT_OK(Submit(Queued({"a", "b"})));
  ASSERT_TRUE(Eventually([&] { return tries == 1; }));
  go = true;

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  EXPECT_EQ(tries, 2);
  EXPECT_TRUE(GetTask("b").retries().empty());
  EXPECT_EQ(ListAttempts("b").size(), 1u);
}

TEST_F(QueueTest, AChangeThatTheQueueRejectsIsWrittenAgainWithWhatFailed) {
  std::atomic<int> tries = 0;
  reviewer_.candidate = [&](const reviewer::v1::CreateCandidateRequest& request, auto& response) {
    if (!request.has_plan() && tries++ == 0) {
      response.mutable_rejected()->set_feedback("unit-tests: test_parse failed");
      return grpc::Status::OK;
    }
    FakeReviewer::FillCandidate(request.has_plan() ? request.plan() : request.attempt(), false,
                                response);
    return grpc::Status::OK;
  };
  FakeAgent& agent = AddAgent();
  ASSERT_OK(Submit(Queued({"a"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  EXPECT_EQ(GetTask("a").retries().at("agent"), 1);
  EXPECT_THAT(agent.grants().back().write_change().feedback(0), HasSubstr("test_parse failed"));
}

TEST_F(QueueTest, ValidatorsThatMayBeFlakyRunAgainOnTheSameCandidate) {
  reviewer_.with_validators = true;
  std::atomic<int> reports = 0;
  reviewer_.evidence = [&](const reviewer::v1::RecordEvidenceRequest& request, auto& response) {
    response.set_rerun(IsOf(request.candidate(), "a") && reports++ == 0);
    response.set_passed(!response.rerun());
    if (response.passed()) response.add_flaky_validators("unit-tests");
    return grpc::Status::OK;
  };
  AddAgent();
  ASSERT_OK(Submit(Queued({"a"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  EXPECT_EQ(reports, 2);
  EXPECT_EQ(ListAttempts("a").size(), 3u) << "one that wrote, two that validated";
  EXPECT_TRUE(GetTask("a").retries().empty());
  const std::vector<std::string> calls = reviewer_.calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "CreateCandidate " + AttemptOf("a", 1)), 1);
}

TEST_F(QueueTest, AFailureThatAChangeAheadMayHaveCausedIsNotChargedToTheTask) {
  reviewer_.with_validators = true;
  std::atomic<int> reports = 0;
  reviewer_.evidence = [&](const reviewer::v1::RecordEvidenceRequest& request, auto& response) {
    response.set_unresolved(IsOf(request.candidate(), "a") && reports++ == 0);
    response.set_passed(!response.unresolved());
    return grpc::Status::OK;
  };
  AddAgent();
  ASSERT_OK(Submit(Queued({"a"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  EXPECT_TRUE(GetTask("a").retries().empty());
  const std::vector<std::string> calls = reviewer_.calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "CreateCandidate " + AttemptOf("a", 1)), 2);
}

TEST_F(QueueTest, AnAnswerThatALandingOvertookDoesNotSetTheTipBack) {
  std::atomic<bool> later_has_landed = false;
  std::atomic<int> asked = 0;
  reviewer_.candidate = [&](const reviewer::v1::CreateCandidateRequest& request, auto& response) {
    if (!IsOf(request.attempt(), "a")) {
      FakeReviewer::FillCandidate(request.has_plan() ? request.plan() : request.attempt(), false,
                                  response);
      return grpc::Status::OK;
    }
    response.mutable_merged()->set_commit("commit of a");
    response.mutable_merged()->set_tip(asked++ == 0 ? "old tip" : "new tip");
    // The answer is under way while the other landing is told.
    EXPECT_TRUE(Eventually([&] { return later_has_landed.load(); }));
    return grpc::Status::OK;
  };
  reviewer_.merge = [&](const reviewer::v1::MergeRequest& request, auto& response) {
    if (!IsOf(request.candidate(), "b")) return grpc::Status::OK;
    response.mutable_merged()->set_commit("commit of b");
    response.mutable_merged()->set_tip("new tip");
    return grpc::Status::OK;
  };
  base::Mutex mutex;
  std::string base_of_dependent;
  const auto script = [&](const agent::v1::Grant& grant) {
    EXPECT_TRUE(!IsOf(grant.attempt(), "b") || Eventually([&] { return asked > 0; }));
    base::MutexLock lock(mutex);
    if (IsOf(grant.attempt(), "c")) base_of_dependent = grant.commit();
    return FakeAgent::Obedient(grant);
  };
  AddAgent(script);
  AddAgent(script);
  ASSERT_OK(Submit(Queued({"a", "b", "c:a,b"})));
  ExpectTask("b", v1::Task::STATE_MERGED);
  later_has_landed = true;

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  base::MutexLock lock(mutex);
  EXPECT_EQ(base_of_dependent, "new tip");
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace slipway::dispatcher
