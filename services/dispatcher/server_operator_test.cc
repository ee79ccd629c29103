// What people and other services ask of a whole dispatcher.
#include <future>

#include "absl/strings/match.h"
#include "lib/base/file.h"
#include "services/dispatcher/testing/server_fixture.h"

namespace slipway::dispatcher {
namespace {

using testkit::FailsWithReason;
using Service = v1::DispatcherService::Stub;

constexpr char kPlan[] = "projects/demo/plans/2026-11-21-export";
constexpr char kOther[] = "projects/other/plans/2026-11-21-report";

std::optional<agent::v1::SubmitResultRequest> Silent(const agent::v1::Grant&) {
  return std::nullopt;
}

class OperatorTest : public ServerFixture {
 protected:
  absl::StatusOr<v1::PauseResponse> Pause(const std::string& scope, bool stop_agents) {
    v1::PauseRequest request;
    request.set_scope(scope);
    request.set_stop_agents(stop_agents);
    return Call(&Service::Pause, request);
  }
  absl::StatusOr<v1::ResumeResponse> Resume(const std::string& scope) {
    v1::ResumeRequest request;
    request.set_scope(scope);
    return Call(&Service::Resume, request);
  }
  absl::StatusOr<v1::CancelRunResponse> CancelRun(const std::string& plan) {
    v1::CancelRunRequest request;
    request.set_plan(plan);
    return Call(&Service::CancelRun, request);
  }
};

TEST_F(OperatorTest, APlanSubmittedTwiceRunsOnce) {
  ASSERT_OK(Submit(Plan({"a"})));
  ASSERT_OK(Submit(Plan({"a"})));
  EXPECT_THAT(Submit(Plan({"a", "b"})), FailsWithReason("PLAN_SUBMITTED"));

  AddAgent();
  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(ListAttempts("a").size(), 1u);
}

TEST_F(OperatorTest, UnsoundPlansAreRefusedByName) {
  EXPECT_THAT(Submit(Plan({"a:c", "b:a", "c:b"})), FailsWithReason("PLAN_CYCLE"));
  EXPECT_THAT(Submit(Plan({"a:x"})), FailsWithReason("DEPENDENCY_UNKNOWN"));
  EXPECT_THAT(Submit(Plan({"a", "a"})), FailsWithReason("TASK_DUPLICATE"));
  EXPECT_THAT(Submit(Plan({})), FailsWithReason("PLAN_EMPTY"));
  EXPECT_THAT(Submit(Plan({"integration"})), FailsWithReason("TASK_INVALID"));
  EXPECT_THAT(Submit(Plan({"a"}, "plans/x")), FailsWithReason("NAME_INVALID"));
  EXPECT_EQ(GetRun().plan(), "");
}

TEST_F(OperatorTest, UnknownNamesAreRefusedByName) {
  v1::GetTaskRequest task;
  task.set_name(std::string(kPlan) + "/tasks/none");
  EXPECT_THAT(Call(&Service::GetTask, task), FailsWithReason("TASK_UNKNOWN"));
  v1::GetRunRequest run;
  run.set_plan(kPlan);
  EXPECT_THAT(Call(&Service::GetRun, run), FailsWithReason("RUN_UNKNOWN"));
  EXPECT_THAT(CancelRun(kPlan), FailsWithReason("RUN_UNKNOWN"));
  EXPECT_THAT(Pause("projects/none", false), FailsWithReason("SCOPE_UNKNOWN"));
  EXPECT_THAT(Pause("nonsense", false), FailsWithReason("NAME_INVALID"));
  EXPECT_THAT(
      Resolve(std::string(kPlan) + "/tasks/a/checkpoints/c1", v1::Checkpoint::DECISION_RETRY),
      FailsWithReason("CHECKPOINT_UNKNOWN"));
  v1::ListTasksRequest page;
  page.set_plan(kPlan);
  page.set_page_token("x");
  EXPECT_THAT(Call(&Service::ListTasks, page), FailsWithReason("PAGE_INVALID"));
}

TEST_F(OperatorTest, TasksAreListedByPage) {
  ASSERT_OK(Submit(Plan({"a", "b", "c"})));
  v1::ListTasksRequest request;
  request.set_plan(kPlan);
  request.set_page_size(2);
  const auto first = Call(&Service::ListTasks, request);
  ASSERT_OK(first.status());
  ASSERT_EQ(first->tasks_size(), 2);
  request.set_page_token(first->next_page_token());

  const auto second = Call(&Service::ListTasks, request);

  ASSERT_OK(second.status());
  ASSERT_EQ(second->tasks_size(), 1);
  EXPECT_EQ(second->tasks(0).spec().id(), "c");
  EXPECT_TRUE(second->next_page_token().empty());
}

TEST_F(OperatorTest, ACancelledRunStopsItsAgentsAtOnce) {
  FakeAgent& agent = AddAgent(Silent);
  ASSERT_OK(Submit(Plan({"a", "b:a"})));
  ExpectTask("a", v1::Task::STATE_RUNNING);

  ASSERT_OK(CancelRun(kPlan).status());

  EXPECT_EQ(GetTask("a").state(), v1::Task::STATE_CANCELLED);
  EXPECT_EQ(GetTask("b").state(), v1::Task::STATE_CANCELLED);
  ASSERT_TRUE(Eventually([&] { return !agent.verdicts().empty(); }));
  EXPECT_EQ(agent.verdicts()[0].verdict(), agent::v1::GrantVerdict::VERDICT_STOP);
  EXPECT_TRUE(Eventually([&] { return models_.open_keys().empty(); }));
  ASSERT_OK(CancelRun(kPlan).status());
  EXPECT_THAT(Submit(Plan({"a", "b:a", "c"})), FailsWithReason("PLAN_SUBMITTED"));
}

TEST_F(OperatorTest, ACancelledTaskIsRevivedWithItsDependents) {
  ASSERT_OK(Submit(Plan({"a", "b:a", "c"})));
  v1::CancelTaskRequest cancel;
  cancel.set_name(std::string(kPlan) + "/tasks/a");
  ASSERT_OK(Call(&Service::CancelTask, cancel).status());
  EXPECT_EQ(GetTask("b").state(), v1::Task::STATE_SKIPPED);
  v1::RetryTaskRequest retry;
  retry.set_name(std::string(kPlan) + "/tasks/a");

  ASSERT_OK(Call(&Service::RetryTask, retry).status());

  AddAgent();
  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(GetTask("b").state(), v1::Task::STATE_MERGED);
  EXPECT_THAT(Call(&Service::RetryTask, retry), FailsWithReason("RUN_STATE"));
}

TEST_F(OperatorTest, AChangeThatIsAboutToLandIsNotCancelled) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  reviewer_.merge = [&](const auto&, auto&) {
    released.wait();
    return grpc::Status::OK;
  };
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ASSERT_TRUE(Eventually([&] {
    const std::vector<std::string> calls = reviewer_.calls();
    return !calls.empty() && absl::StartsWith(calls.back(), "Merge ");
  }));
  v1::CancelTaskRequest cancel;
  cancel.set_name(std::string(kPlan) + "/tasks/a");

  const absl::Status refused = Call(&Service::CancelTask, cancel).status();
  release.set_value();

  EXPECT_THAT(refused, FailsWithReason("TASK_STATE"));
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("about to land"));
  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(GetTask("a").state(), v1::Task::STATE_MERGED);
}

TEST_F(OperatorTest, AnOperationThatTheStateForbidsSaysWhatIsPossible) {
  ASSERT_OK(Submit(Plan({"a", "b:a"})));
  v1::RetryTaskRequest retry;
  retry.set_name(std::string(kPlan) + "/tasks/b");

  const absl::Status refused = Call(&Service::RetryTask, retry).status();

  EXPECT_THAT(refused, FailsWithReason("TASK_STATE"));
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("BLOCKED"));
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("possible: cancel"));
}

TEST_F(OperatorTest, PausingEverythingStopsAgentsUntilItIsResumed) {
  FakeAgent& agent = AddAgent(Silent);
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectTask("a", v1::Task::STATE_RUNNING);
  const auto paused = Pause("everything", true);
  ASSERT_OK(paused.status());
  EXPECT_EQ(paused->stopped(), 1);
  EXPECT_EQ(GetTask("a").state(), v1::Task::STATE_PAUSED);
  EXPECT_TRUE(GetRun().paused());
  ASSERT_TRUE(Eventually([&] { return !agent.verdicts().empty(); }));
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"}, kOther)));
  EXPECT_EQ(GetTask("a", kOther).epoch(), 0);

  const auto resumed = Resume("everything");

  ASSERT_OK(resumed.status());
  EXPECT_EQ(resumed->resumed(), 1);
  ExpectRun(v1::Run::STATE_SUCCEEDED);
  ExpectRun(v1::Run::STATE_SUCCEEDED, kOther);
  EXPECT_TRUE(GetTask("a").retries().empty());
}

TEST_F(OperatorTest, TheKillSwitchFilePausesWhileItExists) {
  ASSERT_OK(base::WriteFileAtomic(directory_.File("kill"), ""));
  ASSERT_TRUE(Eventually([&] { return Events("pause.changed").size() == 1; }));
  ASSERT_OK(Submit(Plan({"a"})));
  AddAgent();
  EXPECT_EQ(GetTask("a").state(), v1::Task::STATE_READY);
  EXPECT_TRUE(GetRun().paused());

  ASSERT_OK(base::RemoveTree(directory_.File("kill")));

  ExpectRun(v1::Run::STATE_SUCCEEDED);
}

TEST_F(OperatorTest, PlansOfTwoProjectsDoNotDisturbEachOther) {
  AddAgent();
  AddAgent();
  ASSERT_OK(Submit(Plan({"a", "b:a"})));
  ASSERT_OK(Submit(Plan({"a", "b:a"}, kOther)));
  ASSERT_OK(Pause("projects/other", false).status());
  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_NE(GetRun(kOther).state(), v1::Run::STATE_SUCCEEDED);

  ASSERT_OK(Resume("projects/other").status());

  ExpectRun(v1::Run::STATE_SUCCEEDED, kOther);
}

TEST_F(OperatorTest, ALogIsKeptByOffsetAndStreamedUntilTheAttemptEnds) {
  FakeAgent& agent = AddAgent(Silent);
  ASSERT_OK(Submit(Plan({"a"})));
  ASSERT_TRUE(Eventually([&] { return agent.grants().size() == 1; }));
  const agent::v1::Grant grant = agent.grants()[0];
  agent.SendLog(grant, 0, "hello ");
  agent.SendLog(grant, 0, "hello ");
  agent.SendLog(grant, 6, "world");
  ASSERT_TRUE(Eventually([&] { return ListAttempts("a").at(0).log_bytes() == 11; }));
  v1::ReadLogRequest request;
  request.set_attempt(grant.attempt());
  request.set_follow(true);
  grpc::ClientContext context;
  const auto stream = stub_->ReadLog(&context, request);
  v1::ReadLogResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.data(), "hello world");
  EXPECT_EQ(response.next_offset(), 11);

  ASSERT_OK(CancelRun(kPlan).status());

  EXPECT_FALSE(stream->Read(&response));
  EXPECT_OK(rpc::FromGrpcStatus(stream->Finish()));
}

TEST_F(OperatorTest, AGapInALogIsToldWhereItIsAndARestartKeepsIt) {
  FakeAgent& agent = AddAgent(Silent);
  ASSERT_OK(Submit(Plan({"a"})));
  ASSERT_TRUE(Eventually([&] { return agent.grants().size() == 1; }));
  const agent::v1::Grant grant = agent.grants()[0];
  agent.SendLog(grant, 0, "before");
  agent.SendLog(grant, 100, "after");
  ASSERT_TRUE(Eventually([&] { return ListAttempts("a").at(0).log_bytes() == 105; }));

  Restart();

  v1::ReadLogRequest request;
  request.set_attempt(grant.attempt());
  grpc::ClientContext context;
  const auto stream = stub_->ReadLog(&context, request);
  std::vector<v1::ReadLogResponse> pieces;
  for (v1::ReadLogResponse piece; stream->Read(&piece);) pieces.push_back(piece);
  EXPECT_OK(rpc::FromGrpcStatus(stream->Finish()));
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].data(), "before");
  EXPECT_EQ(pieces[1].data(), "\n[slipway: LOG_NOT_RECEIVED: 94 bytes of this log are lost]\n");
  EXPECT_EQ(pieces[1].lost_bytes(), 94);
  EXPECT_EQ(pieces[1].loss(), v1::ReadLogResponse::LOSS_NOT_RECEIVED);
  EXPECT_EQ(pieces[1].next_offset(), 100);
  EXPECT_EQ(pieces[2].data(), "after");
}

TEST_F(OperatorTest, BoundsOfLogsAndEventsThatMakeNoSenseAreRefusedByField) {
  const auto refusal = [this](const std::function<void(config::v1::DispatcherConfig&)>& change) {
    const config::v1::DispatcherConfig before = config_;
    change(config_);
    const absl::Status status = StartServer().status();
    config_ = before;
    return base::DetailOf(status).value_or(base::ErrorDetail()).metadata["field"];
  };
  EXPECT_EQ(refusal([](auto& c) { c.mutable_logs()->set_segment_bytes(1); }), "logs.segment_bytes");
  EXPECT_EQ(refusal([](auto& c) { c.mutable_logs()->set_segment_bytes(17 << 20); }),
            "logs.segment_bytes");
  EXPECT_EQ(refusal([](auto& c) { c.mutable_logs()->set_attempt_bytes_max(4'000'000); }),
            "logs.attempt_bytes_max");
  EXPECT_EQ(refusal([](auto& c) { c.mutable_logs()->set_total_bytes_max(100 << 20); }),
            "logs.total_bytes_max");
  EXPECT_EQ(refusal([](auto& c) { c.mutable_logs()->mutable_retention()->set_seconds(3'600); }),
            "logs.retention");
  EXPECT_EQ(refusal([](auto& c) { c.mutable_event_retention()->set_seconds(-1); }),
            "event_retention");
}

TEST_F(OperatorTest, ASecondDispatcherOnTheDatabaseIsRefused) {
  config_.set_agent_address("unix:" + directory_.File("agents2.sock"));
  config_.mutable_listen()->set_address("unix:" + directory_.File("dispatcher2.sock"));

  EXPECT_THAT(StartServer(), FailsWithReason("LOCKED"));
}

TEST_F(OperatorTest, AChildProcessThatDoesNotStartIsTheHostsProblem) {
  config::v1::AgentHost& host = *config_.add_hosts();
  host.set_name("local");
  host.set_slots(1);
  host.mutable_process()->set_agent_program("/bin/false");
  host.mutable_process()->set_agent_config("/dev/null");
  Restart();
  ASSERT_OK(Submit(Plan({"a"})));

  const auto problem = [&] {
    const auto hosts = Call(&Service::ListHosts, v1::ListHostsRequest());
    return hosts.ok() && hosts->hosts_size() == 2 ? hosts->hosts(0).problem() : std::string();
  };

  EXPECT_TRUE(Eventually([&] { return problem() == "exited with status 1"; })) << problem();
}

TEST_F(OperatorTest, AHostThatIsCordonedGetsNoWorkUntilAPersonSaysSo) {
  v1::CordonHostRequest cordon;
  cordon.set_host("hosts/test");
  cordon.set_reason("new kernel");
  const auto cordoned = Call(&Service::CordonHost, cordon);
  ASSERT_OK(cordoned);
  EXPECT_TRUE(cordoned->host().cordoned());
  EXPECT_EQ(cordoned->host().actor(), "alice");
  Restart();
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ASSERT_TRUE(Eventually([&] {
    const auto hosts = Call(&Service::ListHosts, v1::ListHostsRequest());
    return hosts.ok() && hosts->hosts(0).agents() == 1 && hosts->hosts(0).cordoned() &&
           hosts->hosts(0).reason() == "new kernel";
  }));
  EXPECT_EQ(GetTask("a").state(), v1::Task::STATE_READY);

  v1::UncordonHostRequest uncordon;
  uncordon.set_host("hosts/test");
  ASSERT_OK(Call(&Service::UncordonHost, uncordon));

  ExpectTask("a", v1::Task::STATE_MERGED);
}

TEST_F(OperatorTest, ADrainThatMeansNothingIsRefused) {
  v1::DrainHostRequest drain;
  drain.set_host("hosts/north");
  EXPECT_THAT(Call(&Service::DrainHost, drain), FailsWithReason("HOST_UNKNOWN"));
  drain.mutable_timeout()->set_seconds(-1);
  EXPECT_THAT(Call(&Service::DrainHost, drain), FailsWithReason("DRAIN_INVALID"));
}

}  // namespace
}  // namespace slipway::dispatcher
