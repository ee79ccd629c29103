#include "services/models/rpc/models_service.h"

#include "lib/rpc/serve.h"
#include "services/models/rpc/generate_reactor.h"

namespace slipway::models {

grpc::ServerWriteReactor<v1::GenerateResponse>* ModelsService::Generate(
    grpc::CallbackServerContext* context, const v1::GenerateRequest* request) {
  return GenerateReactor::Start(calls_, handlers_, *context, *request);
}

grpc::ServerUnaryReactor* ModelsService::Estimate(grpc::CallbackServerContext* context,
                                                  const v1::EstimateRequest* request,
                                                  v1::EstimateResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &ModelsHandlers::Estimate);
}

grpc::ServerUnaryReactor* ModelsService::IssueAttemptKey(grpc::CallbackServerContext* context,
                                                         const v1::IssueAttemptKeyRequest* request,
                                                         v1::IssueAttemptKeyResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &ModelsHandlers::IssueAttemptKey);
}

grpc::ServerUnaryReactor* ModelsService::RevokeAttemptKeys(
    grpc::CallbackServerContext* context, const v1::RevokeAttemptKeysRequest* request,
    v1::RevokeAttemptKeysResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &ModelsHandlers::RevokeAttemptKeys);
}

grpc::ServerUnaryReactor* ModelsService::ListCalls(grpc::CallbackServerContext* context,
                                                   const v1::ListCallsRequest* request,
                                                   v1::ListCallsResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &ModelsHandlers::ListCalls);
}

grpc::ServerUnaryReactor* ModelsService::ListRoutes(grpc::CallbackServerContext* context,
                                                    const v1::ListRoutesRequest* request,
                                                    v1::ListRoutesResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &ModelsHandlers::ListRoutes);
}

grpc::ServerUnaryReactor* ModelsService::ExplainRoute(grpc::CallbackServerContext* context,
                                                      const v1::ExplainRouteRequest* request,
                                                      v1::ExplainRouteResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &ModelsHandlers::ExplainRoute);
}

grpc::ServerUnaryReactor* ModelsService::ApproveCalls(grpc::CallbackServerContext* context,
                                                      const v1::ApproveCallsRequest* request,
                                                      v1::ApproveCallsResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &ModelsHandlers::ApproveCalls);
}

grpc::ServerUnaryReactor* ModelsService::ListProviders(grpc::CallbackServerContext* context,
                                                       const v1::ListProvidersRequest* request,
                                                       v1::ListProvidersResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &ModelsHandlers::ListProviders);
}

grpc::ServerUnaryReactor* ModelsService::OpenGate(grpc::CallbackServerContext* context,
                                                  const v1::OpenGateRequest* request,
                                                  v1::OpenGateResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &ModelsHandlers::OpenGate);
}

}  // namespace slipway::models
