#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "lib/base/executor.h"
#include "services/gateway/rpc/merged_watch.h"

namespace slipway::gateway {

// The merge of all logs as slipway.events.v1.EventLogService. The executor must outlive the
// service, and the service the server that it is registered with.
std::unique_ptr<grpc::Service> BindMergedEventService(std::shared_ptr<MergedLogs> logs,
                                                      base::Executor& executor);

}  // namespace slipway::gateway
