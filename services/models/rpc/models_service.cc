#include "services/models/rpc/models_service.h"

#include "lib/rpc/bind.h"
#include "services/models/rpc/generate_reactor.h"
#include "slipway/models/v1/models_service.grpc.pb.h"

namespace slipway::models {
namespace {

class ModelsBinding final : public v1::ModelsService::CallbackService {
 public:
  ModelsBinding(ModelsHandlers& handlers, base::Executor& calls, base::Executor& executor)
      : handlers_(handlers), calls_(calls), executor_(executor) {}

  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context, const v1::GenerateRequest* request) override {
    return GenerateReactor::Start(calls_, handlers_, *context, *request);
  }
  SLIPWAY_UNARY(v1, Estimate, executor_, handlers_)
  SLIPWAY_UNARY(v1, IssueAttemptKey, executor_, handlers_)
  SLIPWAY_UNARY(v1, ChangeAttemptKeys, executor_, handlers_)
  SLIPWAY_UNARY(v1, RevokeAttemptKeys, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListCalls, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListRoutes, executor_, handlers_)
  SLIPWAY_UNARY(v1, ExplainRoute, executor_, handlers_)
  SLIPWAY_UNARY(v1, ApproveCalls, executor_, handlers_)
  SLIPWAY_UNARY(v1, StartRecording, executor_, handlers_)
  SLIPWAY_UNARY(v1, StopRecording, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListCassettes, executor_, handlers_)
  SLIPWAY_UNARY(v1, ReadCassette, executor_, handlers_)
  SLIPWAY_UNARY(v1, DeleteCassette, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListProviders, executor_, handlers_)
  SLIPWAY_UNARY(v1, OpenGate, executor_, handlers_)

 private:
  ModelsHandlers& handlers_;
  base::Executor& calls_;
  base::Executor& executor_;
};

}  // namespace

std::unique_ptr<grpc::Service> BindModelsService(ModelsHandlers& handlers, base::Executor& calls,
                                                 base::Executor& executor) {
  return std::make_unique<ModelsBinding>(handlers, calls, executor);
}

}  // namespace slipway::models
