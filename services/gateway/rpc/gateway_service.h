#pragma once

#include <grpcpp/server_context.h>

#include "lib/base/executor.h"
#include "lib/rpc/serve.h"
#include "services/gateway/rpc/gateway_handlers.h"
#include "slipway/gateway/v1/gateway_service.grpc.pb.h"

namespace slipway::gateway {

// Binds the handlers to gRPC. The collaborators must outlive the service, and the service the
// server that it is registered with.
class GatewayService final : public v1::GatewayService::CallbackService {
 public:
  GatewayService(GatewayHandlers& handlers, base::Executor& executor)
      : handlers_(handlers), executor_(executor) {}

  grpc::ServerUnaryReactor* ExchangeToken(grpc::CallbackServerContext* context,
                                          const v1::ExchangeTokenRequest* request,
                                          v1::ExchangeTokenResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &GatewayHandlers::ExchangeToken);
  }
  grpc::ServerUnaryReactor* GetCaller(grpc::CallbackServerContext* context,
                                      const v1::GetCallerRequest* request,
                                      v1::GetCallerResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &GatewayHandlers::GetCaller);
  }
  grpc::ServerUnaryReactor* CreateToken(grpc::CallbackServerContext* context,
                                        const v1::CreateTokenRequest* request,
                                        v1::CreateTokenResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &GatewayHandlers::CreateToken);
  }
  grpc::ServerUnaryReactor* ListTokens(grpc::CallbackServerContext* context,
                                       const v1::ListTokensRequest* request,
                                       v1::ListTokensResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &GatewayHandlers::ListTokens);
  }
  grpc::ServerUnaryReactor* RevokeToken(grpc::CallbackServerContext* context,
                                        const v1::RevokeTokenRequest* request,
                                        v1::RevokeTokenResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &GatewayHandlers::RevokeToken);
  }
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* request,
                                      v1::GetStatusResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &GatewayHandlers::GetStatus);
  }

 private:
  GatewayHandlers& handlers_;
  base::Executor& executor_;
};

}  // namespace slipway::gateway
