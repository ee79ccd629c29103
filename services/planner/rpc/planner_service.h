#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "lib/base/executor.h"
#include "services/planner/rpc/planner_handlers.h"

namespace slipway::planner {

// PlannerService over its handlers, which run on `executor`. Both must outlive the service, and the
// service the server that it is registered with.
std::unique_ptr<grpc::Service> BindPlannerService(PlannerHandlers& handlers,
                                                  base::Executor& executor);

}  // namespace slipway::planner
