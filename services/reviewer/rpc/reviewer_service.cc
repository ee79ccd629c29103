#include "services/reviewer/rpc/reviewer_service.h"

#include "lib/rpc/bind.h"
#include "slipway/reviewer/v1/reviewer_service.grpc.pb.h"

namespace slipway::reviewer {
namespace {

class ReviewerBinding final : public v1::ReviewerService::CallbackService {
 public:
  ReviewerBinding(ReviewerHandlers& handlers, base::Executor& executor,
                  base::Executor& model_executor)
      : handlers_(handlers), executor_(executor), model_executor_(model_executor) {}

  SLIPWAY_UNARY(v1, Inspect, executor_, handlers_)
  SLIPWAY_UNARY(v1, CreateCandidate, executor_, handlers_)
  SLIPWAY_UNARY(v1, RecordEvidence, executor_, handlers_)
  SLIPWAY_UNARY(v1, Judge, model_executor_, handlers_)
  SLIPWAY_UNARY(v1, Diagnose, model_executor_, handlers_)
  SLIPWAY_UNARY(v1, Merge, executor_, handlers_)
  SLIPWAY_UNARY(v1, ReviewChanges, executor_, handlers_)
  SLIPWAY_UNARY(v1, RollBack, executor_, handlers_)
  SLIPWAY_UNARY(v1, GetQueue, executor_, handlers_)
  SLIPWAY_UNARY(v1, GetReview, executor_, handlers_)

 private:
  ReviewerHandlers& handlers_;
  base::Executor& executor_;
  base::Executor& model_executor_;
};

}  // namespace

std::unique_ptr<grpc::Service> BindReviewerService(ReviewerHandlers& handlers,
                                                   base::Executor& executor,
                                                   base::Executor& model_executor) {
  return std::make_unique<ReviewerBinding>(handlers, executor, model_executor);
}

}  // namespace slipway::reviewer
