#include "services/planner/rpc/planner_handlers.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "services/planner/domain/errors.h"
#include "services/planner/rpc/convert.h"

namespace slipway::planner {
namespace {

constexpr char kAllProjects[] = "projects/-";

absl::StatusOr<int64_t> PositionOf(const std::string& page_token) {
  int64_t position = 0;
  if (page_token.empty()) return position;
  if (!absl::SimpleAtoi(page_token, &position) || position <= 0) {
    return PageInvalid("page_token is not one that ListPlans returned");
  }
  return position;
}

absl::StatusOr<std::optional<PlanState>> StateFromProto(v1::Plan::State state) {
  if (!v1::Plan::State_IsValid(state)) {
    return PageInvalid(absl::StrCat("there is no state ", static_cast<int>(state)));
  }
  if (state == v1::Plan::STATE_UNSPECIFIED) return std::optional<PlanState>();
  return std::optional<PlanState>(static_cast<PlanState>(state));
}

template <typename Response>
Response WithPlan(const Plan& plan) {
  Response response;
  *response.mutable_plan() = ToProto(plan);
  return response;
}

template <typename Response>
Response WithProject(const Project& project) {
  Response response;
  *response.mutable_project() = ToProto(project);
  return response;
}

}  // namespace

absl::StatusOr<v1::CreateProjectResponse> PlannerHandlers::CreateProject(
    const rpc::Call& call, const v1::CreateProjectRequest& request) {
  ASSIGN_OR_RETURN(Project project, FromProto(request.project()));
  ASSIGN_OR_RETURN(const Project created,
                   projects_.Create(std::move(project), request.request_id(), call.principal()));
  return WithProject<v1::CreateProjectResponse>(created);
}

absl::StatusOr<v1::UpdateProjectResponse> PlannerHandlers::UpdateProject(
    const rpc::Call& call, const v1::UpdateProjectRequest& request) {
  ASSIGN_OR_RETURN(Project project, FromProto(request.project()));
  ASSIGN_OR_RETURN(const Project updated, projects_.Update(std::move(project), call.principal()));
  return WithProject<v1::UpdateProjectResponse>(updated);
}

absl::StatusOr<v1::GetProjectResponse> PlannerHandlers::GetProject(
    const rpc::Call&, const v1::GetProjectRequest& request) {
  ASSIGN_OR_RETURN(const std::string id, ProjectIdOf(request.name()));
  ASSIGN_OR_RETURN(const Project project, projects_.Get(id));
  return WithProject<v1::GetProjectResponse>(project);
}

absl::StatusOr<v1::ListProjectsResponse> PlannerHandlers::ListProjects(
    const rpc::Call&, const v1::ListProjectsRequest& request) {
  ASSIGN_OR_RETURN(const int size, PageSizeOf(request.page_size()));
  if (!request.page_token().empty() && !base::IsValidId(request.page_token())) {
    return PageInvalid("page_token is not one that ListProjects returned");
  }
  ASSIGN_OR_RETURN(const std::vector<Project> projects,
                   projects_.List(request.page_token(), request.show_archived(), size));
  v1::ListProjectsResponse response;
  for (const Project& project : projects) *response.add_projects() = ToProto(project);
  if (projects.size() == static_cast<size_t>(size)) {
    response.set_next_page_token(projects.back().id);
  }
  return response;
}

absl::StatusOr<v1::CreatePlanResponse> PlannerHandlers::CreatePlan(
    const rpc::Call& call, const v1::CreatePlanRequest& request) {
  Plans::Wish wish = {.spec = request.spec(),
                      .title = request.title(),
                      .request_id = request.request_id(),
                      .actor = call.principal()};
  ASSIGN_OR_RETURN(wish.project, ProjectIdOf(request.parent()));
  ASSIGN_OR_RETURN(wish.rigor, RigorFromProto(request.rigor()));
  ASSIGN_OR_RETURN(const Plan plan, plans_.Create(wish));
  return WithPlan<v1::CreatePlanResponse>(plan);
}

absl::StatusOr<v1::ImportPlanResponse> PlannerHandlers::ImportPlan(
    const rpc::Call& call, const v1::ImportPlanRequest& request) {
  Plans::Wish wish = {.spec = request.plan().spec(),
                      .title = request.plan().title(),
                      .request_id = request.request_id(),
                      .actor = call.principal()};
  ASSIGN_OR_RETURN(wish.project, ProjectIdOf(request.parent()));
  ASSIGN_OR_RETURN(wish.rigor, RigorFromProto(request.plan().rigor()));
  ASSIGN_OR_RETURN(PlanContent content, ContentFromProto(request.plan()));
  ASSIGN_OR_RETURN(const Plan plan,
                   plans_.Import(wish, std::move(content), request.plan().base_commit()));
  return WithPlan<v1::ImportPlanResponse>(plan);
}

absl::StatusOr<v1::GetPlanResponse> PlannerHandlers::GetPlan(const rpc::Call&,
                                                             const v1::GetPlanRequest& request) {
  ASSIGN_OR_RETURN(const PlanName name, PlanNameOf(request.name()));
  ASSIGN_OR_RETURN(const Plan plan, plans_.Get(name, request.version()));
  return WithPlan<v1::GetPlanResponse>(plan);
}

absl::StatusOr<v1::ListPlansResponse> PlannerHandlers::ListPlans(
    const rpc::Call&, const v1::ListPlansRequest& request) {
  PlanQuery query;
  if (request.parent() != kAllProjects) {
    ASSIGN_OR_RETURN(query.project, ProjectIdOf(request.parent()));
  }
  ASSIGN_OR_RETURN(query.limit, PageSizeOf(request.page_size()));
  ASSIGN_OR_RETURN(query.before, PositionOf(request.page_token()));
  ASSIGN_OR_RETURN(query.state, StateFromProto(request.state()));
  ASSIGN_OR_RETURN(const std::vector<PlanRow> rows, plans_.List(query));
  v1::ListPlansResponse response;
  for (const PlanRow& row : rows) *response.add_plans() = ToProto(row.head);
  if (rows.size() == static_cast<size_t>(query.limit)) {
    response.set_next_page_token(absl::StrCat(rows.back().position));
  }
  return response;
}

absl::StatusOr<v1::EditPlanResponse> PlannerHandlers::EditPlan(const rpc::Call& call,
                                                               const v1::EditPlanRequest& request) {
  ASSIGN_OR_RETURN(const PlanName name, PlanNameOf(request.name()));
  ASSIGN_OR_RETURN(const std::vector<Task> added, FromProto(request.added_tasks()));
  std::vector<TaskEdit> edits;
  for (const v1::TaskEdit& edit : request.edits()) edits.push_back(FromProto(edit));
  ASSIGN_OR_RETURN(const Plan plan, plans_.EditPlan(name, {.version = request.version(),
                                                           .edits = edits,
                                                           .added = added,
                                                           .actor = call.principal()}));
  return WithPlan<v1::EditPlanResponse>(plan);
}

absl::StatusOr<v1::DiffPlanResponse> PlannerHandlers::DiffPlan(const rpc::Call&,
                                                               const v1::DiffPlanRequest& request) {
  ASSIGN_OR_RETURN(const PlanName name, PlanNameOf(request.name()));
  ASSIGN_OR_RETURN(const std::vector<std::string> changes,
                   plans_.Diff(name, request.from_version(), request.to_version()));
  v1::DiffPlanResponse response;
  response.mutable_changes()->Assign(changes.begin(), changes.end());
  return response;
}

absl::StatusOr<v1::ApprovePlanResponse> PlannerHandlers::ApprovePlan(
    const rpc::Call& call, const v1::ApprovePlanRequest& request) {
  ASSIGN_OR_RETURN(const PlanName name, PlanNameOf(request.name()));
  ASSIGN_OR_RETURN(Plan plan, plans_.Approve(name, request.version(), call.principal()));
  if (plan.head.amendment == AmendmentState::kApproved) {
    RETURN_IF_ERROR(starter_.HandOver(name.project, name.id).status());
    ASSIGN_OR_RETURN(plan, plans_.Get(name, 0));
  }
  return WithPlan<v1::ApprovePlanResponse>(plan);
}

absl::StatusOr<v1::RejectPlanResponse> PlannerHandlers::RejectPlan(
    const rpc::Call& call, const v1::RejectPlanRequest& request) {
  ASSIGN_OR_RETURN(const PlanName name, PlanNameOf(request.name()));
  ASSIGN_OR_RETURN(const Plan plan, plans_.Reject(name, request.reason(), call.principal()));
  return WithPlan<v1::RejectPlanResponse>(plan);
}

absl::StatusOr<v1::StartPlanResponse> PlannerHandlers::StartPlan(
    const rpc::Call& call, const v1::StartPlanRequest& request) {
  ASSIGN_OR_RETURN(const PlanName name, PlanNameOf(request.name()));
  ASSIGN_OR_RETURN(const PlanHead head, starter_.Start(name.project, name.id, call.principal()));
  ASSIGN_OR_RETURN(const Plan plan, plans_.Get({head.project, head.id}, 0));
  return WithPlan<v1::StartPlanResponse>(plan);
}

}  // namespace slipway::planner
