#include "cli/client/plan_view.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "cli/client/pages.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::DispatcherService;
using dispatcher::v1::Run;
using dispatcher::v1::Task;
using ledger::v1::LedgerService;
using planner::v1::Plan;
using planner::v1::PlannerService;

absl::Status AddRun(Connection& connection, const std::string& plan, PlanView& view) {
  dispatcher::v1::GetRunRequest run_request;
  run_request.set_plan(plan);
  absl::StatusOr<dispatcher::v1::GetRunResponse> run = connection.Call(
      connection.dispatcher(), &DispatcherService::StubInterface::GetRun, run_request);
  if (run.status().code() == absl::StatusCode::kNotFound) return absl::OkStatus();
  if (!run.ok()) return run.status();
  view.run = run->run();
  dispatcher::v1::ListTasksRequest task_request;
  task_request.set_plan(plan);
  ASSIGN_OR_RETURN(
      const auto tasks,
      AllPages(connection, connection.dispatcher(), &DispatcherService::StubInterface::ListTasks,
               task_request, [](auto& page) { return page.mutable_tasks(); }));
  view.tasks.assign(tasks.tasks().begin(), tasks.tasks().end());
  dispatcher::v1::ListCheckpointsRequest checkpoint_request;
  checkpoint_request.set_plan(plan);
  ASSIGN_OR_RETURN(const auto checkpoints,
                   AllPages(connection, connection.dispatcher(),
                            &DispatcherService::StubInterface::ListCheckpoints, checkpoint_request,
                            [](auto& page) { return page.mutable_checkpoints(); }));
  view.checkpoints.assign(checkpoints.checkpoints().begin(), checkpoints.checkpoints().end());
  return absl::OkStatus();
}

absl::Status AddCosts(Connection& connection, const std::string& plan, PlanView& view) {
  ledger::v1::QueryUsageRequest request;
  request.set_scope(plan);
  request.add_group_by("task");
  ASSIGN_OR_RETURN(const auto usage, AllPages(connection, connection.ledger(),
                                              &LedgerService::StubInterface::QueryUsage, request,
                                              [](auto& page) { return page.mutable_rollups(); }));
  for (const auto& rollup : usage.rollups()) {
    view.cost_usd_nanos[rollup.scopes().task()] += rollup.cost_usd_nanos();
  }
  return absl::OkStatus();
}

bool GoesOnByItself(const Task& task) {
  switch (task.state()) {
    case Task::STATE_READY:
    case Task::STATE_RUNNING:
    case Task::STATE_INSPECTING:
    case Task::STATE_VALIDATING:
    case Task::STATE_JUDGING:
    case Task::STATE_MERGING:
    case Task::STATE_RETRY_WAIT:
      return true;
    case Task::STATE_PAUSED:
      // The dispatcher looks again now and then, but only a person raises a limit.
      return task.has_resume_time() && task.reason() != "budget";
    default:
      return false;
  }
}

bool WaitsForSomebody(const Task& task) {
  return task.state() == Task::STATE_NEEDS_HUMAN ||
         (task.state() == Task::STATE_PAUSED && !GoesOnByItself(task));
}

bool RunWaitsForPerson(const PlanView& view) {
  if (!view.run.has_value()) return false;
  if (view.run->paused()) return true;
  return std::none_of(view.tasks.begin(), view.tasks.end(), GoesOnByItself) &&
         std::any_of(view.tasks.begin(), view.tasks.end(), WaitsForSomebody);
}

}  // namespace

int64_t PlanView::TotalCost() const {
  int64_t total = 0;
  for (const auto& [task, cost] : cost_usd_nanos) total += cost;
  return total;
}

absl::StatusOr<PlanView> FetchPlanView(Connection& connection, const std::string& plan) {
  PlanView view;
  planner::v1::GetPlanRequest request;
  request.set_name(plan);
  ASSIGN_OR_RETURN(
      auto response,
      connection.Call(connection.planner(), &PlannerService::StubInterface::GetPlan, request));
  view.plan = std::move(*response.mutable_plan());
  RETURN_IF_ERROR(AddRun(connection, plan, view));
  RETURN_IF_ERROR(AddCosts(connection, plan, view));
  return view;
}

Standing StandingOf(const PlanView& view) {
  switch (view.plan.state()) {
    case Plan::STATE_DRAFTING:
      // The planner tries again by itself, but only a person raises a limit.
      return absl::StartsWith(view.plan.failure(), "BUDGET_DENIED") ? Standing::kWaitsForPerson
                                                                    : Standing::kDrafting;
    case Plan::STATE_PROPOSED:
      return Standing::kProposed;
    case Plan::STATE_APPROVED:
      return Standing::kApproved;
    case Plan::STATE_REJECTED:
      return Standing::kRejected;
    case Plan::STATE_COMPLETED:
      return Standing::kSucceeded;
    case Plan::STATE_FAILED:
      return Standing::kFailed;
    case Plan::STATE_CANCELLED:
      return Standing::kCancelled;
    default:
      return RunWaitsForPerson(view) ? Standing::kWaitsForPerson : Standing::kWorking;
  }
}

bool HasEnded(Standing standing) {
  return standing == Standing::kSucceeded || standing == Standing::kFailed ||
         standing == Standing::kRejected || standing == Standing::kCancelled;
}

std::string StateText(absl::string_view enum_name) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(absl::StripPrefix(enum_name, "STATE_")),
                             {{"_", " "}});
}

}  // namespace slipway::cli
