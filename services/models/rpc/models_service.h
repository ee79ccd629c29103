#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "lib/base/executor.h"
#include "services/models/rpc/models_handlers.h"

namespace slipway::models {

// ModelsService over its handlers. Calls to models run on `calls`, which has a thread for each;
// everything else on `executor`. All must outlive the service, and the service the server that it
// is registered with.
std::unique_ptr<grpc::Service> BindModelsService(ModelsHandlers& handlers, base::Executor& calls,
                                                 base::Executor& executor);

}  // namespace slipway::models
