#include "services/dispatcher/testing/server_fixture.h"

#include <gmock/gmock.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/file.h"
#include "lib/rpc/channel.h"
#include "services/dispatcher/storage/audit_file.h"

namespace slipway::dispatcher {
namespace {

using Service = v1::DispatcherService::Stub;

constexpr char kToken[] = "a token of the external test host";
constexpr absl::Duration kPatience = absl::Seconds(20);

void SetMillis(int64_t millis, google::protobuf::Duration& duration) {
  duration.set_seconds(millis / 1'000);
  duration.set_nanos(static_cast<int32_t>(millis % 1'000) * 1'000'000);
}

}  // namespace

ServerFixture::ServerFixture() {
  const auto address = [&](const char* name) { return "unix:" + directory_.File(name); };
  reviewer_server_ = rpc::Server::Start({.address = address("reviewer.sock"),
                                         .services = {&reviewer_, &repository_},
                                         .drain_timeout = absl::Milliseconds(100)})
                         .value();
  models_server_ = rpc::Server::Start({.address = address("models.sock"),
                                       .services = {&models_},
                                       .drain_timeout = absl::Milliseconds(100)})
                       .value();
  ledger_server_ = rpc::Server::Start({.address = address("ledger.sock"),
                                       .services = {&ledger_},
                                       .drain_timeout = absl::Milliseconds(100)})
                       .value();
  EXPECT_OK(base::WriteFileAtomic(directory_.File("token"), kToken));
  config_.mutable_listen()->set_address(address("dispatcher.sock"));
  SetMillis(100, *config_.mutable_listen()->mutable_drain_timeout());
  config_.set_database(directory_.File("dispatcher.db"));
  config_.set_log_directory(directory_.File("logs"));
  config_.set_agent_address(address("agents.sock"));
  config_.set_reviewer_address(address("reviewer.sock"));
  config_.set_models_address(address("models.sock"));
  config_.set_ledger_address(address("ledger.sock"));
  config_.set_kill_switch_file(directory_.File("kill"));
  SetMillis(60'000, *config_.mutable_lease_timeout());
  SetMillis(50, *config_.mutable_beat_interval());
  SetMillis(20, *config_.mutable_backoff_initial());
  config::v1::AgentHost& host = *config_.add_hosts();
  host.set_name("test");
  host.set_slots(4);
  host.mutable_external()->set_token_file(directory_.File("token"));
  server_ = StartServer().value();
  Connect();
}

ServerFixture::~ServerFixture() {
  agents_.clear();
  server_.reset();
  if (!is_audited_) return;
  // Whatever a test did to the dispatcher: what must always hold holds.
  const absl::StatusOr<AuditResult> audit = AuditFile(config_.database());
  EXPECT_OK(audit.status());
  if (!audit.ok()) return;
  for (const AuditCheck& check : audit->checks) {
    EXPECT_THAT(check.breaches, ::testing::IsEmpty()) << check.invariant;
  }
}

absl::StatusOr<std::unique_ptr<Server>> ServerFixture::StartServer() {
  return Server::Start(config_, {base::RealClock(), base::RandomIds(), [] { return 0.0; }});
}

void ServerFixture::Connect() {
  stub_ = v1::DispatcherService::NewStub(rpc::MakeChannel(server_->address()));
  events_ = events::v1::EventLogService::NewStub(rpc::MakeChannel(server_->address()));
  agent_channel_ = rpc::MakeChannel(server_->agent_address());
}

void ServerFixture::Restart() {
  server_.reset();
  server_ = StartServer().value();
  Connect();
}

FakeAgent& ServerFixture::AddAgent(FakeAgent::Script script,
                                   std::vector<agent::v1::HeldGrant> held) {
  return AddAgent({.name = absl::StrCat("agent-", ++agent_count_), .held = std::move(held)},
                  std::move(script));
}

FakeAgent& ServerFixture::AddAgent(FakeAgent::Options options, FakeAgent::Script script) {
  if (options.token.empty()) options.token = kToken;
  return *agents_.emplace_back(
      std::make_unique<FakeAgent>(agent_channel_, std::move(options), std::move(script)));
}

v1::PlanSpec ServerFixture::Plan(const std::vector<std::string>& tasks, const std::string& plan) {
  v1::PlanSpec spec;
  spec.set_plan(plan);
  spec.set_title("Export");
  spec.set_version(1);
  spec.set_branch("plan/2026-11-21-export");
  spec.set_base_commit("base");
  for (const std::string& text : tasks) {
    const std::vector<std::string> parts = absl::StrSplit(text, ':');
    v1::TaskSpec& task = *spec.add_tasks();
    task.set_id(parts[0]);
    task.set_title("Task " + parts[0]);
    task.set_description("Do " + parts[0]);
    task.set_role("simple_builder");
    task.set_intent("code");
    if (parts.size() < 2) continue;
    for (const absl::string_view dependency : absl::StrSplit(parts[1], ',')) {
      task.add_depends_on(std::string(dependency));
    }
  }
  return spec;
}

absl::Status ServerFixture::Submit(const v1::PlanSpec& spec) {
  v1::SubmitPlanRequest request;
  *request.mutable_spec() = spec;
  return Call(&Service::SubmitPlan, request).status();
}

v1::Task ServerFixture::GetTask(const std::string& id, const std::string& plan) {
  v1::GetTaskRequest request;
  request.set_name(absl::StrCat(plan, "/tasks/", id));
  const auto response = Call(&Service::GetTask, request);
  return response.ok() ? response->task() : v1::Task();
}

v1::Run ServerFixture::GetRun(const std::string& plan) {
  v1::GetRunRequest request;
  request.set_plan(plan);
  const auto response = Call(&Service::GetRun, request);
  return response.ok() ? response->run() : v1::Run();
}

std::vector<v1::Attempt> ServerFixture::ListAttempts(const std::string& id) {
  v1::ListAttemptsRequest request;
  request.set_task(absl::StrCat("projects/demo/plans/2026-11-21-export/tasks/", id));
  const auto response = Call(&Service::ListAttempts, request);
  if (!response.ok()) return {};
  return {response->attempts().begin(), response->attempts().end()};
}

std::vector<v1::Checkpoint> ServerFixture::ListCheckpoints() {
  const auto response = Call(&Service::ListCheckpoints, v1::ListCheckpointsRequest());
  if (!response.ok()) return {};
  return {response->checkpoints().begin(), response->checkpoints().end()};
}

absl::StatusOr<v1::Task> ServerFixture::Resolve(const std::string& checkpoint,
                                                v1::Checkpoint::Decision decision,
                                                const std::string& guidance) {
  v1::ResolveCheckpointRequest request;
  request.set_name(checkpoint);
  request.set_decision(decision);
  request.set_guidance(guidance);
  const auto response = Call(&Service::ResolveCheckpoint, request);
  if (!response.ok()) return response.status();
  return response->task();
}

std::vector<events::v1::Event> ServerFixture::Events(const std::string& kind) {
  std::vector<events::v1::Event> found;
  events::v1::ListEventsRequest request;
  request.set_page_size(500);
  request.mutable_filter()->add_kinds(kind);
  while (true) {
    grpc::ClientContext context;
    events::v1::ListEventsResponse response;
    if (!events_->ListEvents(&context, request, &response).ok()) return found;
    found.insert(found.end(), response.events().begin(), response.events().end());
    if (response.next_page_token().empty()) return found;
    request.set_page_token(response.next_page_token());
  }
}

void ServerFixture::ExpectTask(const std::string& id, v1::Task::State state,
                               const std::string& plan) {
  Eventually([&] { return GetTask(id, plan).state() == state; });
  const v1::Task task = GetTask(id, plan);
  EXPECT_EQ(v1::Task::State_Name(task.state()), v1::Task::State_Name(state))
      << task.ShortDebugString();
}

void ServerFixture::ExpectRun(v1::Run::State state, const std::string& plan) {
  Eventually([&] { return GetRun(plan).state() == state; });
  const v1::Run run = GetRun(plan);
  EXPECT_EQ(v1::Run::State_Name(run.state()), v1::Run::State_Name(state)) << run.ShortDebugString();
}

bool ServerFixture::Eventually(const std::function<bool()>& condition) {
  const absl::Duration deadline = base::RealClock().Elapsed() + kPatience;
  base::Mutex mutex;
  base::CondVar nobody;
  while (!condition()) {
    if (base::RealClock().Elapsed() > deadline) return false;
    base::MutexLock lock(mutex);
    nobody.WaitFor(mutex, absl::Milliseconds(5));
  }
  return true;
}

}  // namespace slipway::dispatcher
