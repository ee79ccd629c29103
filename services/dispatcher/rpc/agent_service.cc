#include "services/dispatcher/rpc/agent_service.h"

#include <optional>
#include <utility>

#include "lib/rpc/unary_reactor.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/rpc/agent_convert.h"
#include "services/dispatcher/rpc/agent_token.h"
#include "slipway/agent/v1/agent_service.grpc.pb.h"

namespace slipway::dispatcher {
namespace {

class AgentBinding final : public agent::v1::AgentService::CallbackService {
 public:
  AgentBinding(SessionReactor::Host session_host, SnapshotRelay::Host snapshot_host)
      : session_host_(session_host), snapshot_host_(snapshot_host) {}

  grpc::ServerBidiReactor<agent::v1::SessionRequest, agent::v1::SessionResponse>* Session(
      grpc::CallbackServerContext* context) override {
    return SessionReactor::Start(session_host_, *context);
  }

  grpc::ServerWriteReactor<agent::v1::GetSnapshotResponse>* GetSnapshot(
      grpc::CallbackServerContext* context, const agent::v1::GetSnapshotRequest* request) override {
    return SnapshotRelay::Start(snapshot_host_, *context, *request);
  }

  grpc::ServerUnaryReactor* SubmitResult(grpc::CallbackServerContext* context,
                                         const agent::v1::SubmitResultRequest* request,
                                         agent::v1::SubmitResultResponse* response) override {
    auto* reactor = new rpc::UnaryReactor(*context, rpc::RpcName<agent::v1::SubmitResultRequest>());
    std::optional<AgentIdentity> caller = IdentityOf(*context, session_host_.tokens);
    absl::StatusOr<AttemptKey> key = KeyFromProto(request->attempt(), request->epoch());
    absl::StatusOr<AttemptResult> result = ResultFromProto(*request);
    absl::Status status = caller.has_value() ? absl::OkStatus() : TokenInvalid();
    status.Update(key.status());
    status.Update(result.status());
    if (!status.ok()) {
      reactor->Answer(status);
      return reactor;
    }
    session_host_.dispatcher.SubmitResult(
        *std::move(caller), *std::move(key), *std::move(result),
        base::Reply<Receipt>([reactor, response](absl::StatusOr<Receipt> receipt) {
          if (receipt.ok()) response->set_receipt(ToProto(*receipt));
          reactor->Answer(receipt.status());
        }));
    return reactor;
  }

 private:
  SessionReactor::Host session_host_;
  SnapshotRelay::Host snapshot_host_;
};

}  // namespace

std::unique_ptr<grpc::Service> BindAgentService(SessionReactor::Host session_host,
                                                SnapshotRelay::Host snapshot_host) {
  return std::make_unique<AgentBinding>(session_host, snapshot_host);
}

}  // namespace slipway::dispatcher
