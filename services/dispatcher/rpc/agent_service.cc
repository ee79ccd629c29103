#include "services/dispatcher/rpc/agent_service.h"

#include <optional>
#include <utility>

#include "lib/rpc/unary_reactor.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/rpc/agent_convert.h"
#include "services/dispatcher/rpc/agent_token.h"

namespace slipway::dispatcher {

grpc::ServerUnaryReactor* AgentService::SubmitResult(grpc::CallbackServerContext* context,
                                                     const agent::v1::SubmitResultRequest* request,
                                                     agent::v1::SubmitResultResponse* response) {
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
        if (receipt.ok()) {
          response->set_receipt(*receipt == Receipt::kAccepted
                                    ? agent::v1::SubmitResultResponse::RECEIPT_ACCEPTED
                                    : agent::v1::SubmitResultResponse::RECEIPT_STALE);
        }
        reactor->Answer(receipt.status());
      }));
  return reactor;
}

}  // namespace slipway::dispatcher
