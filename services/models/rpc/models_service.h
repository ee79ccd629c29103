#pragma once

#include <grpcpp/server_context.h>

#include "lib/base/executor.h"
#include "services/models/rpc/models_handlers.h"
#include "slipway/models/v1/models_service.grpc.pb.h"

namespace slipway::models {

// Binds ModelsService to its handlers. Calls to models run on `calls`, which has a thread for each;
// everything else on `executor`. All must outlive the gRPC server.
class ModelsService final : public v1::ModelsService::CallbackService {
 public:
  ModelsService(ModelsHandlers& handlers, base::Executor& calls, base::Executor& executor)
      : handlers_(handlers), calls_(calls), executor_(executor) {}

  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context, const v1::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* Estimate(grpc::CallbackServerContext* context,
                                     const v1::EstimateRequest* request,
                                     v1::EstimateResponse* response) override;
  grpc::ServerUnaryReactor* IssueAttemptKey(grpc::CallbackServerContext* context,
                                            const v1::IssueAttemptKeyRequest* request,
                                            v1::IssueAttemptKeyResponse* response) override;
  grpc::ServerUnaryReactor* RevokeAttemptKeys(grpc::CallbackServerContext* context,
                                              const v1::RevokeAttemptKeysRequest* request,
                                              v1::RevokeAttemptKeysResponse* response) override;
  grpc::ServerUnaryReactor* ListCalls(grpc::CallbackServerContext* context,
                                      const v1::ListCallsRequest* request,
                                      v1::ListCallsResponse* response) override;
  grpc::ServerUnaryReactor* ListRoutes(grpc::CallbackServerContext* context,
                                       const v1::ListRoutesRequest* request,
                                       v1::ListRoutesResponse* response) override;
  grpc::ServerUnaryReactor* ExplainRoute(grpc::CallbackServerContext* context,
                                         const v1::ExplainRouteRequest* request,
                                         v1::ExplainRouteResponse* response) override;
  grpc::ServerUnaryReactor* ApproveCalls(grpc::CallbackServerContext* context,
                                         const v1::ApproveCallsRequest* request,
                                         v1::ApproveCallsResponse* response) override;
  grpc::ServerUnaryReactor* ListProviders(grpc::CallbackServerContext* context,
                                          const v1::ListProvidersRequest* request,
                                          v1::ListProvidersResponse* response) override;
  grpc::ServerUnaryReactor* OpenGate(grpc::CallbackServerContext* context,
                                     const v1::OpenGateRequest* request,
                                     v1::OpenGateResponse* response) override;

 private:
  ModelsHandlers& handlers_;
  base::Executor& calls_;
  base::Executor& executor_;
};

}  // namespace slipway::models
