#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/base/error.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"
#include "lib/testkit/temporary_directory.h"
#include "services/planner/server.h"
#include "services/planner/testing/fake_services.h"
#include "slipway/planner/v1/planner_service.grpc.pb.h"

namespace slipway::planner {

// Two tasks, the second after the first.
inline constexpr char kGoodReply[] = R"({
  "summary": "Adds a greeting.",
  "tasks": [
    {"id": "test-greeting", "title": "Test it", "description": "Write tests.",
     "depends_on": ["greeting"], "intent": "test", "complexity": "low",
     "allowed_paths": ["tests/"], "acceptance": ["tests pass"]},
    {"id": "greeting", "title": "Greet", "description": "Write it.", "depends_on": [],
     "intent": "code", "complexity": "medium", "allowed_paths": ["src/**"],
     "acceptance": ["it greets"]}],
  "requirements": [{"id": "R1", "text": "Greet people", "tasks": ["greeting"]},
                   {"id": "R2", "text": "In French too", "tasks": []}],
  "open_questions": ["Which names?"]
})";

// A real planner with fakes of the services that it calls, over gRPC.
class ServiceTest : public ::testing::Test {
 protected:
  using Stub = v1::PlannerService::StubInterface;

  ServiceTest() {
    models_server_ = Serve({&models_});
    reviewer_server_ = Serve({&repository_});
    dispatcher_server_ = Serve({&dispatcher_, &run_log_});
    models_.SetAnswer([](const auto&) { return std::string(kGoodReply); });
    StartPlanner();
  }

  static std::unique_ptr<rpc::Server> Serve(std::vector<grpc::Service*> services) {
    return rpc::Server::Start({.address = "127.0.0.1:0",
                               .services = std::move(services),
                               .drain_timeout = absl::Milliseconds(50)})
        .value();
  }

  void StartPlanner() {
    config::v1::PlannerConfig config;
    config.mutable_listen()->set_address("127.0.0.1:0");
    config.mutable_listen()->mutable_drain_timeout()->set_nanos(100'000'000);
    config.set_database(directory_.File("planner.db"));
    config.set_models_address(models_server_->address());
    config.set_reviewer_address(reviewer_server_->address());
    config.set_dispatcher_address(dispatcher_server_->address());
    planner_ = Server::Start(config, {clock_, ids_}).value();
    channel_ = rpc::MakeChannel(planner_->address());
    stub_ = v1::PlannerService::NewStub(channel_);
  }

  void RestartPlanner() {
    planner_.reset();
    StartPlanner();
  }

  template <typename Response, typename Base, typename Request>
  absl::StatusOr<Response> Invoke(grpc::Status (Base::*method)(grpc::ClientContext*, const Request&,
                                                               Response*),
                                  const Request& request) {
    return rpc::CallUnary(*stub_, method, request,
                          {.timeout = absl::Seconds(20), .principal = "ada"});
  }

  absl::StatusOr<v1::Project> CreateProject(const std::string& id) {
    v1::CreateProjectRequest request;
    request.mutable_project()->set_name("projects/" + id);
    request.mutable_project()->set_repository("/repository");
    request.mutable_project()->set_target_branch("main");
    request.mutable_project()->set_plan_tier("scripted");
    const auto response = Invoke(&Stub::CreateProject, request);
    if (!response.ok()) return response.status();
    return response->project();
  }

  absl::StatusOr<v1::Plan> CreatePlan(const std::string& spec, const std::string& request_id = "") {
    v1::CreatePlanRequest request;
    request.set_parent("projects/shop");
    request.set_spec(spec);
    request.set_request_id(request_id);
    const auto response = Invoke(&Stub::CreatePlan, request);
    if (!response.ok()) return response.status();
    return response->plan();
  }

  v1::Plan GetPlan(const std::string& name, int version = 0) {
    v1::GetPlanRequest request;
    request.set_name(name);
    request.set_version(version);
    return Invoke(&Stub::GetPlan, request).value().plan();
  }

  absl::StatusOr<v1::Plan> Approve(const std::string& name, int version) {
    v1::ApprovePlanRequest request;
    request.set_name(name);
    request.set_version(version);
    const auto response = Invoke(&Stub::ApprovePlan, request);
    if (!response.ok()) return response.status();
    return response->plan();
  }

  absl::StatusOr<v1::Plan> StartPlan(const std::string& name) {
    v1::StartPlanRequest request;
    request.set_name(name);
    const auto response = Invoke(&Stub::StartPlan, request);
    if (!response.ok()) return response.status();
    return response->plan();
  }

  // Waits for a condition that other threads bring about, with the clock running.
  static bool Eventually(
      const std::function<bool()>& holds, const std::function<void()>& each_time = [] {}) {
    base::Mutex mutex;
    base::CondVar never;
    const absl::Time end = base::RealClock().Now() + absl::Seconds(30);
    while (base::RealClock().Now() < end) {
      if (holds()) return true;
      each_time();
      base::MutexLock lock(mutex);
      never.WaitFor(mutex, absl::Milliseconds(2));
    }
    return false;
  }

  bool Reaches(const std::string& plan, v1::Plan::State state) {
    return Eventually([&] { return GetPlan(plan).state() == state; },
                      [&] { clock_.Advance(absl::Milliseconds(500)); });
  }

  std::string ProposedPlan(const std::string& spec = "# Greeting\nGreet people.") {
    const std::string name = CreatePlan(spec).value().name();
    EXPECT_TRUE(Reaches(name, v1::Plan::STATE_PROPOSED)) << GetPlan(name).DebugString();
    return name;
  }

  // Kinds and payloads of the planner's own log, oldest first.
  std::vector<events::v1::Event> Events(const std::string& kind) {
    const auto log = events::v1::EventLogService::NewStub(channel_);
    events::v1::ListEventsRequest request;
    request.set_page_size(500);
    request.mutable_filter()->add_kinds(kind);
    grpc::ClientContext context;
    events::v1::ListEventsResponse response;
    EXPECT_TRUE(log->ListEvents(&context, request, &response).ok());
    return {response.events().begin(), response.events().end()};
  }

  testkit::TemporaryDirectory directory_;
  // 2026-11-21 09:00 UTC.
  testkit::FakeClock clock_{absl::FromUnixSeconds(1'795'251'600)};
  testkit::SequentialIds ids_;
  FakeModels models_;
  FakeRepository repository_;
  FakeDispatcher dispatcher_;
  FakeRunLog run_log_;
  std::unique_ptr<rpc::Server> models_server_;
  std::unique_ptr<rpc::Server> reviewer_server_;
  std::unique_ptr<rpc::Server> dispatcher_server_;
  std::unique_ptr<Server> planner_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace slipway::planner
