#include "services/gateway/rpc/gateway_service.h"

#include "lib/rpc/bind.h"
#include "slipway/gateway/v1/gateway_service.grpc.pb.h"

namespace slipway::gateway {
namespace {

class GatewayBinding final : public v1::GatewayService::CallbackService {
 public:
  GatewayBinding(GatewayHandlers& handlers, base::Executor& executor)
      : handlers_(handlers), executor_(executor) {}

  SLIPWAY_UNARY(v1, ExchangeToken, executor_, handlers_)
  SLIPWAY_UNARY(v1, GetCaller, executor_, handlers_)
  SLIPWAY_UNARY(v1, CreateToken, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListTokens, executor_, handlers_)
  SLIPWAY_UNARY(v1, RevokeToken, executor_, handlers_)
  SLIPWAY_UNARY(v1, GetStatus, executor_, handlers_)

 private:
  GatewayHandlers& handlers_;
  base::Executor& executor_;
};

}  // namespace

std::unique_ptr<grpc::Service> BindGatewayService(GatewayHandlers& handlers,
                                                  base::Executor& executor) {
  return std::make_unique<GatewayBinding>(handlers, executor);
}

}  // namespace slipway::gateway
