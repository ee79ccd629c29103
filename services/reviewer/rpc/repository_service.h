#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "lib/base/executor.h"
#include "services/reviewer/rpc/repository_handlers.h"

namespace slipway::reviewer {

// RepositoryService over its handlers. Snapshots wait for their receivers, so they have an executor
// of their own. The collaborators must outlive the service, and the service the server that it is
// registered with.
std::unique_ptr<grpc::Service> BindRepositoryService(RepositoryHandlers& handlers,
                                                     base::Executor& executor,
                                                     base::Executor& snapshot_executor);

}  // namespace slipway::reviewer
