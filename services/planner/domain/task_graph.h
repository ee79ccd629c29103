#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/planner/domain/plan.h"

namespace slipway::planner {

// How tasks follow each other. Positions are those in the span it was made of.
struct TaskGraph {
  // Every dependency before its dependents; else in the order given.
  std::vector<size_t> order;
  // Tasks that can run at once; a task is in the wave after its last dependency. In the order
  // given.
  std::vector<std::vector<size_t>> waves;
  // The chain with the longest total estimate, first to last; the earliest given wins a tie.
  std::vector<size_t> critical_path;
  // Along that chain.
  absl::Duration duration;
};

// Fails with PLAN_EMPTY, TASK_DUPLICATE, DEPENDENCY_UNKNOWN, or PLAN_CYCLE, whose message walks one
// cycle: "a -> b -> a" where a depends on b. Needs no stack for long chains.
absl::StatusOr<TaskGraph> MakeTaskGraph(absl::Span<const Task> tasks);

}  // namespace slipway::planner
