#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "lib/base/executor.h"
#include "services/gateway/rpc/gateway_handlers.h"

namespace slipway::gateway {

// GatewayService over its handlers, which run on `executor`. Both must outlive the service, and the
// service the server that it is registered with.
std::unique_ptr<grpc::Service> BindGatewayService(GatewayHandlers& handlers,
                                                  base::Executor& executor);

}  // namespace slipway::gateway
