#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/rpc/server.h"
#include "lib/rpc/status.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "services/dispatcher/server.h"
#include "services/dispatcher/testing/fake_agent.h"
#include "services/dispatcher/testing/fake_ledger.h"
#include "services/dispatcher/testing/fake_models.h"
#include "services/dispatcher/testing/fake_reviewer.h"
#include "slipway/dispatcher/v1/dispatcher_service.grpc.pb.h"
#include "slipway/events/v1/event_log.grpc.pb.h"

namespace slipway::dispatcher {

// A dispatcher on sockets in a directory of its own, with services and agents that a test scripts.
// Time is real, so waits are set to milliseconds and tests wait for conditions.
class ServerFixture : public ::testing::Test {
 protected:
  ServerFixture();
  ~ServerFixture() override;

  // On the same database as the one before, which is destroyed first.
  void Restart();
  absl::StatusOr<std::unique_ptr<Server>> StartServer();

  FakeAgent& AddAgent(FakeAgent::Script script = FakeAgent::Obedient,
                      std::vector<agent::v1::HeldGrant> held = {});
  FakeAgent& AddAgent(FakeAgent::Options options, FakeAgent::Script script);
  void RemoveAgents() { agents_.clear(); }

  // A plan whose tasks depend as {"a", "b:a", "c:a,b"} says.
  static v1::PlanSpec Plan(const std::vector<std::string>& tasks,
                           const std::string& plan = "projects/demo/plans/2026-11-21-export");
  absl::Status Submit(const v1::PlanSpec& spec);

  v1::Task GetTask(const std::string& id,
                   const std::string& plan = "projects/demo/plans/2026-11-21-export");
  v1::Run GetRun(const std::string& plan = "projects/demo/plans/2026-11-21-export");
  std::vector<v1::Attempt> ListAttempts(const std::string& id);
  std::vector<v1::Checkpoint> ListCheckpoints();
  absl::StatusOr<v1::Task> Resolve(const std::string& checkpoint, v1::Checkpoint::Decision decision,
                                   const std::string& guidance = "");
  std::vector<events::v1::Event> Events(const std::string& kind);

  // Waits for the state, and fails the test when it does not come.
  void ExpectTask(const std::string& id, v1::Task::State state,
                  const std::string& plan = "projects/demo/plans/2026-11-21-export");
  void ExpectRun(v1::Run::State state,
                 const std::string& plan = "projects/demo/plans/2026-11-21-export");
  static bool Eventually(const std::function<bool()>& condition);

  // Calls a method of DispatcherService.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (v1::DispatcherService::Stub::*method)(
                                    grpc::ClientContext*, const Request&, Response*),
                                const Request& request);

  testkit::TemporaryDirectory directory_;
  config::v1::DispatcherConfig config_;
  FakeReviewer reviewer_;
  FakeRepository repository_;
  FakeModels models_;
  FakeLedger ledger_;
  std::unique_ptr<Server> server_;
  bool is_audited_ = true;  // At the end of the test.
  std::unique_ptr<v1::DispatcherService::Stub> stub_;
  std::unique_ptr<events::v1::EventLogService::Stub> events_;

 private:
  void Connect();

  std::unique_ptr<rpc::Server> reviewer_server_;
  std::unique_ptr<rpc::Server> models_server_;
  std::unique_ptr<rpc::Server> ledger_server_;
  std::shared_ptr<grpc::Channel> agent_channel_;
  int agent_count_ = 0;

 protected:
  std::deque<std::unique_ptr<FakeAgent>> agents_;
};

template <typename Request, typename Response>
absl::StatusOr<Response> ServerFixture::Call(grpc::Status (v1::DispatcherService::Stub::*method)(
                                                 grpc::ClientContext*, const Request&, Response*),
                                             const Request& request) {
  grpc::ClientContext context;
  context.AddMetadata("slipway-principal", "alice");
  Response response;
  const absl::Status status = rpc::FromGrpcStatus(((*stub_).*method)(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

}  // namespace slipway::dispatcher
