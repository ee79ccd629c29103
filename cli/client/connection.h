#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/rpc/status.h"
#include "slipway/dispatcher/v1/dispatcher_service.grpc.pb.h"
#include "slipway/events/v1/event_log.grpc.pb.h"
#include "slipway/gateway/v1/gateway_service.grpc.pb.h"
#include "slipway/ledger/v1/ledger_service.grpc.pb.h"
#include "slipway/models/v1/models_service.grpc.pb.h"
#include "slipway/planner/v1/planner_service.grpc.pb.h"
#include "slipway/repository/v1/repository_service.grpc.pb.h"
#include "slipway/reviewer/v1/reviewer_service.grpc.pb.h"

namespace slipway::cli {

// Which gateway, and as whom.
struct Target {
  std::string address;  // "unix:/path", "host:port" (loopback only) or "https://host:port".
  std::string token;    // Empty: no identity.
};

// Every public service of a suite, through its gateway. Thread-safe.
class Connection final {
 public:
  static constexpr absl::Duration kCallTimeout = absl::Seconds(30);

  // Connects on the first call. INVALID_ARGUMENT (ADDRESS_INVALID, ADDRESS_INSECURE: a token would
  // cross a network in clear).
  static absl::StatusOr<std::unique_ptr<Connection>> Open(Target target);

  const std::string& address() const { return target_.address; }

  planner::v1::PlannerService::StubInterface& planner() { return *planner_; }
  dispatcher::v1::DispatcherService::StubInterface& dispatcher() { return *dispatcher_; }
  reviewer::v1::ReviewerService::StubInterface& reviewer() { return *reviewer_; }
  repository::v1::RepositoryService::StubInterface& repository() { return *repository_; }
  ledger::v1::LedgerService::StubInterface& ledger() { return *ledger_; }
  models::v1::ModelsService::StubInterface& models() { return *models_; }
  gateway::v1::GatewayService::StubInterface& gateway() { return *gateway_; }
  events::v1::EventLogService::StubInterface& events() { return *events_; }

  // Calls and waits:
  //   connection.Call(connection.planner(), &PlannerService::StubInterface::GetPlan, request)
  // UNAVAILABLE (UNREACHABLE) when the gateway does not answer.
  template <typename Stub, typename Base, typename Request, typename Response>
  absl::StatusOr<Response> Call(
      Stub& stub, grpc::Status (Base::*method)(grpc::ClientContext*, const Request&, Response*),
      const std::type_identity_t<Request>& request, absl::Duration timeout = kCallTimeout) {
    grpc::ClientContext context;
    Prepare(context, timeout);
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (!status.ok()) return Explain(rpc::FromGrpcStatus(status));
    return response;
  }

  // Reads a stream to its end; `on_message` says false to leave it earlier, which is not an error.
  template <typename Response>
  absl::Status Read(grpc::ClientContext& context, grpc::ClientReaderInterface<Response>& reader,
                    absl::FunctionRef<bool(Response&)> on_message) {
    Response response;
    while (reader.Read(&response)) {
      if (on_message(response)) continue;
      context.TryCancel();
      while (reader.Read(&response)) {
      }
      reader.Finish();
      return absl::OkStatus();
    }
    return Explain(rpc::FromGrpcStatus(reader.Finish()));
  }

  // Puts deadline and identity into `context`, for streams.
  void Prepare(grpc::ClientContext& context,
               absl::Duration timeout = absl::InfiniteDuration()) const;

 private:
  Connection(Target target, const std::shared_ptr<grpc::Channel>& channel);

  absl::Status Explain(absl::Status status) const;

  const Target target_;
  std::unique_ptr<planner::v1::PlannerService::StubInterface> planner_;
  std::unique_ptr<dispatcher::v1::DispatcherService::StubInterface> dispatcher_;
  std::unique_ptr<reviewer::v1::ReviewerService::StubInterface> reviewer_;
  std::unique_ptr<repository::v1::RepositoryService::StubInterface> repository_;
  std::unique_ptr<ledger::v1::LedgerService::StubInterface> ledger_;
  std::unique_ptr<models::v1::ModelsService::StubInterface> models_;
  std::unique_ptr<gateway::v1::GatewayService::StubInterface> gateway_;
  std::unique_ptr<events::v1::EventLogService::StubInterface> events_;
};

}  // namespace slipway::cli
