#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "lib/base/executor.h"
#include "services/reviewer/rpc/reviewer_handlers.h"

namespace slipway::reviewer {

// ReviewerService over its handlers. Judging waits for models, so it has an executor of its own.
// The collaborators must outlive the service, and the service the server that it is registered
// with.
std::unique_ptr<grpc::Service> BindReviewerService(ReviewerHandlers& handlers,
                                                   base::Executor& executor,
                                                   base::Executor& model_executor);

}  // namespace slipway::reviewer
