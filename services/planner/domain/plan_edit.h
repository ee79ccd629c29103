#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "services/planner/domain/plan.h"

namespace slipway::planner {

// One change to a task; what is absent stays as it is.
struct TaskEdit {
  std::string task;
  std::optional<int> priority;
  std::optional<std::string> role;
  std::optional<std::string> title;
  std::optional<std::string> description;
  std::optional<int64_t> limit_usd_nanos;
  std::optional<std::vector<std::string>> allowed_paths;
  std::optional<std::vector<std::string>> depends_on;
  std::optional<std::vector<std::string>> acceptance;
  bool remove = false;
};

// Changes the tasks of `content`: all edits or, when one fails, none. Fails with EDIT_EMPTY,
// TASK_UNKNOWN or PLAN_TOO_LARGE. A removed task leaves the requirements that it met. The result is
// not checked: see CheckPlan.
absl::StatusOr<PlanContent> EditTasks(const PlanContent& content, absl::Span<const TaskEdit> edits,
                                      absl::Span<const Task> added);

// What changed between two versions, one line each: "task parse-input: priority 0 -> 5".
std::vector<std::string> DescribeChanges(const PlanContent& from, const PlanContent& to);

}  // namespace slipway::planner
