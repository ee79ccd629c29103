#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/dispatcher/domain/run.h"

namespace slipway::dispatcher {

// Checks what a plan says: PLAN_EMPTY, TASK_INVALID, TASK_DUPLICATE, DEPENDENCY_UNKNOWN,
// PLAN_CYCLE.
absl::Status CheckPlan(const PlanSpec& spec);

// By task id, the expected time from its start to the end of the longest chain of tasks that wait
// for it. A task without an estimate counts as a minute. `tasks` must be free of cycles.
std::map<std::string, absl::Duration> LongestRemainingPaths(const std::vector<TaskSpec>& tasks);

}  // namespace slipway::dispatcher
