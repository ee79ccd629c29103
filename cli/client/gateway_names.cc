#include "cli/client/gateway_names.h"

#include "absl/strings/str_cat.h"
#include "cli/client/pages.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::DispatcherService;
using planner::v1::PlannerService;

// The task that integrates a plan; the dispatcher adds it to every run.
constexpr char kIntegrationTask[] = "integration";

template <typename Rows>
std::vector<std::string> NamesOf(const Rows& rows) {
  std::vector<std::string> names;
  for (const auto& row : rows) names.push_back(row.name());
  return names;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> GatewayNames::Projects() {
  ASSIGN_OR_RETURN(const auto list, AllPages(connection_, connection_.planner(),
                                             &PlannerService::StubInterface::ListProjects, {},
                                             [](auto& page) { return page.mutable_projects(); }));
  return NamesOf(list.projects());
}

absl::StatusOr<std::vector<std::string>> GatewayNames::Plans(const std::string& project) {
  planner::v1::ListPlansRequest request;
  request.set_parent(project);
  ASSIGN_OR_RETURN(const auto list, AllPages(connection_, connection_.planner(),
                                             &PlannerService::StubInterface::ListPlans, request,
                                             [](auto& page) { return page.mutable_plans(); }));
  return NamesOf(list.plans());
}

absl::StatusOr<std::vector<std::string>> GatewayNames::Tasks(const std::string& plan) {
  planner::v1::GetPlanRequest request;
  request.set_name(plan);
  ASSIGN_OR_RETURN(
      const auto response,
      connection_.Call(connection_.planner(), &PlannerService::StubInterface::GetPlan, request));
  std::vector<std::string> names;
  for (const auto& task : response.plan().tasks()) {
    names.push_back(absl::StrCat(plan, "/tasks/", task.id()));
  }
  names.push_back(absl::StrCat(plan, "/tasks/", kIntegrationTask));
  return names;
}

absl::StatusOr<std::vector<std::string>> GatewayNames::Attempts(const std::string& task) {
  dispatcher::v1::ListAttemptsRequest request;
  request.set_task(task);
  ASSIGN_OR_RETURN(const auto response,
                   connection_.Call(connection_.dispatcher(),
                                    &DispatcherService::StubInterface::ListAttempts, request));
  return NamesOf(response.attempts());
}

absl::StatusOr<std::vector<std::string>> GatewayNames::OpenCheckpoints() {
  ASSIGN_OR_RETURN(const auto list,
                   AllPages(connection_, connection_.dispatcher(),
                            &DispatcherService::StubInterface::ListCheckpoints, {},
                            [](auto& page) { return page.mutable_checkpoints(); }));
  return NamesOf(list.checkpoints());
}

}  // namespace slipway::cli
