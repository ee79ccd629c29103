#pragma once

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/rpc/channel.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "services/gateway/server.h"
#include "services/gateway/testing/fake_suite.h"
#include "slipway/events/v1/event_log.grpc.pb.h"
#include "slipway/gateway/v1/gateway_service.grpc.pb.h"

namespace slipway::gateway {

// A whole gateway before fake services.
class GatewayTest : public ::testing::Test {
 protected:
  GatewayTest() { StartGateway(); }
  ~GatewayTest() override {
    channel_.reset();
    server_.reset();
  }

  void StartGateway() {
    config::v1::GatewayConfig config;
    config.mutable_listen()->set_address(absl::StrCat("unix:", directory_.File("gateway.sock")));
    config.mutable_listen()->mutable_drain_timeout()->set_nanos(50'000'000);
    config.add_extra_addresses("127.0.0.1:0");
    config.set_database(directory_.File("gateway.db"));
    config.set_http_address("127.0.0.1:0");
    config.set_planner_address(planner_.address());
    config.set_dispatcher_address(dispatcher_.address());
    config.set_reviewer_address(reviewer_.address());
    config.set_ledger_address(ledger_.address());
    config.set_models_address(models_.address());
    config.set_one_time_token_file(directory_.File("one-time.token"));
    config.set_local_token_file(directory_.File("local.token"));
    config.add_allowed_origins("https://board.example");
    server_ = Server::Start(config, {base::RealClock(), base::RandomIds(), "1.2.3"}).value();
    channel_ = rpc::MakeChannel(server_->addresses().front());
    admin_ = std::string(
        absl::StripAsciiWhitespace(base::ReadFile(directory_.File("local.token")).value()));
  }
  void StopGateway() {
    channel_.reset();
    server_.reset();
  }

  // Calls with `token`; without one when it is empty.
  template <typename Stub, typename Base, typename Request, typename Response>
  absl::StatusOr<Response> Call(const std::string& token, Stub stub,
                                grpc::Status (Base::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const std::type_identity_t<Request>& request) {
    grpc::ClientContext context;
    if (!token.empty()) Authorize(context, token);
    Response response;
    const absl::Status status =
        rpc::FromGrpcStatus(((*stub).*method)(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
  static void Authorize(grpc::ClientContext& context, const std::string& token) {
    context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
  }

  auto Planner() { return planner::v1::PlannerService::NewStub(channel_); }
  auto Dispatcher() { return dispatcher::v1::DispatcherService::NewStub(channel_); }
  auto Gateway() { return v1::GatewayService::NewStub(channel_); }
  auto Events() { return events::v1::EventLogService::NewStub(channel_); }

  v1::CreateTokenResponse CreateToken(common::v1::Role role, const std::string& title) {
    v1::CreateTokenRequest request;
    request.set_role(role);
    request.set_title(title);
    return Call(admin_, Gateway(), &v1::GatewayService::StubInterface::CreateToken, request)
        .value();
  }
  std::string TokenOf(common::v1::Role role) {
    return CreateToken(role, absl::StrCat("token for ", common::v1::Role_Name(role))).secret();
  }
  absl::StatusOr<planner::v1::GetPlanResponse> GetPlan(
      const std::string& token, const std::string& name = "projects/p/plans/n") {
    planner::v1::GetPlanRequest request;
    request.set_name(name);
    return Call(token, Planner(), &planner::v1::PlannerService::StubInterface::GetPlan, request);
  }

  testkit::TemporaryDirectory directory_;
  FakePlanner fake_planner_;
  FakeDispatcher fake_dispatcher_;
  FakeBackend planner_ = Make("planner", {&fake_planner_});
  FakeBackend dispatcher_ = Make("dispatcher", {&fake_dispatcher_});
  FakeBackend reviewer_ = Make("reviewer", {});
  FakeBackend ledger_ = Make("ledger", {});
  FakeBackend models_ = Make("models", {});
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::string admin_;

 private:
  FakeBackend Make(const std::string& name, std::vector<grpc::Service*> services) {
    return FakeBackend(directory_.path(), name, base::RealClock(), base::RandomIds(),
                       std::move(services));
  }
};

}  // namespace slipway::gateway
