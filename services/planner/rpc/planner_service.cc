#include "services/planner/rpc/planner_service.h"

#include "lib/rpc/bind.h"
#include "slipway/planner/v1/planner_service.grpc.pb.h"

namespace slipway::planner {
namespace {

class PlannerBinding final : public v1::PlannerService::CallbackService {
 public:
  PlannerBinding(PlannerHandlers& handlers, base::Executor& executor)
      : handlers_(handlers), executor_(executor) {}

  SLIPWAY_UNARY(v1, CreateProject, executor_, handlers_)
  SLIPWAY_UNARY(v1, UpdateProject, executor_, handlers_)
  SLIPWAY_UNARY(v1, GetProject, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListProjects, executor_, handlers_)
  SLIPWAY_UNARY(v1, CreatePlan, executor_, handlers_)
  SLIPWAY_UNARY(v1, ImportPlan, executor_, handlers_)
  SLIPWAY_UNARY(v1, GetPlan, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListPlans, executor_, handlers_)
  SLIPWAY_UNARY(v1, EditPlan, executor_, handlers_)
  SLIPWAY_UNARY(v1, DiffPlan, executor_, handlers_)
  SLIPWAY_UNARY(v1, ApprovePlan, executor_, handlers_)
  SLIPWAY_UNARY(v1, RejectPlan, executor_, handlers_)
  SLIPWAY_UNARY(v1, StartPlan, executor_, handlers_)

 private:
  PlannerHandlers& handlers_;
  base::Executor& executor_;
};

}  // namespace

std::unique_ptr<grpc::Service> BindPlannerService(PlannerHandlers& handlers,
                                                  base::Executor& executor) {
  return std::make_unique<PlannerBinding>(handlers, executor);
}

}  // namespace slipway::planner
