#pragma once

#include "absl/status/statusor.h"
#include "lib/rpc/call.h"
#include "services/planner/domain/plans.h"
#include "services/planner/domain/projects.h"
#include "services/planner/domain/starter.h"
#include "slipway/planner/v1/planner_service.pb.h"

namespace slipway::planner {

// The methods of PlannerService. They block on disk and on other services. Thread-safe; the
// collaborators must outlive the handlers.
class PlannerHandlers final {
 public:
  PlannerHandlers(Projects& projects, Plans& plans, Starter& starter)
      : projects_(projects), plans_(plans), starter_(starter) {}

  absl::StatusOr<v1::CreateProjectResponse> CreateProject(const rpc::Call& call,
                                                          const v1::CreateProjectRequest& request);
  absl::StatusOr<v1::UpdateProjectResponse> UpdateProject(const rpc::Call& call,
                                                          const v1::UpdateProjectRequest& request);
  absl::StatusOr<v1::GetProjectResponse> GetProject(const rpc::Call& call,
                                                    const v1::GetProjectRequest& request);
  absl::StatusOr<v1::ListProjectsResponse> ListProjects(const rpc::Call& call,
                                                        const v1::ListProjectsRequest& request);
  absl::StatusOr<v1::CreatePlanResponse> CreatePlan(const rpc::Call& call,
                                                    const v1::CreatePlanRequest& request);
  absl::StatusOr<v1::ImportPlanResponse> ImportPlan(const rpc::Call& call,
                                                    const v1::ImportPlanRequest& request);
  absl::StatusOr<v1::GetPlanResponse> GetPlan(const rpc::Call& call,
                                              const v1::GetPlanRequest& request);
  absl::StatusOr<v1::ListPlansResponse> ListPlans(const rpc::Call& call,
                                                  const v1::ListPlansRequest& request);
  absl::StatusOr<v1::EditPlanResponse> EditPlan(const rpc::Call& call,
                                                const v1::EditPlanRequest& request);
  absl::StatusOr<v1::DiffPlanResponse> DiffPlan(const rpc::Call& call,
                                                const v1::DiffPlanRequest& request);
  absl::StatusOr<v1::ApprovePlanResponse> ApprovePlan(const rpc::Call& call,
                                                      const v1::ApprovePlanRequest& request);
  absl::StatusOr<v1::RejectPlanResponse> RejectPlan(const rpc::Call& call,
                                                    const v1::RejectPlanRequest& request);
  absl::StatusOr<v1::StartPlanResponse> StartPlan(const rpc::Call& call,
                                                  const v1::StartPlanRequest& request);

 private:
  Projects& projects_;
  Plans& plans_;
  Starter& starter_;
};

}  // namespace slipway::planner
