#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "lib/base/executor.h"
#include "services/dispatcher/rpc/dispatcher_handlers.h"
#include "services/dispatcher/rpc/read_log_reactor.h"

namespace slipway::dispatcher {

// DispatcherService over its handlers; reads run on `executor`. The collaborators must outlive the
// service, and the service the server that it is registered with.
std::unique_ptr<grpc::Service> BindDispatcherService(DispatcherHandlers& handlers,
                                                     ReadLogReactor::Host& log_host,
                                                     base::Executor& executor);

}  // namespace slipway::dispatcher
