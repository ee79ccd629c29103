#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "services/dispatcher/domain/amendment.h"
#include "services/dispatcher/domain/board.h"
#include "services/dispatcher/domain/task_flow.h"

namespace slipway::dispatcher {

// Makes a run carry out a later version of its plan: all of the change or nothing of it. Used by
// the core's thread.
class AmendFlow final {
 public:
  AmendFlow(Board& board, TaskFlow& tasks, base::Clock& clock)
      : board_(board), tasks_(tasks), clock_(clock) {}

  // A repeat returns the run as it stands. With `validate_only` only checks. RUN_UNKNOWN,
  // VERSION_MISMATCH, PLAN_SUBMITTED, RUN_STATE, AMENDMENT_EMPTY, TASK_UNKNOWN, TASKS_BEGUN,
  // TASK_DUPLICATE, TASK_INVALID, DEPENDENCY_UNKNOWN, PLAN_CYCLE, PLAN_EMPTY.
  absl::StatusOr<Run> Amend(const PlanAmendment& amendment, bool validate_only);

 private:
  using Specs = std::map<std::string, TaskSpec>;

  // The whole graph as it would be, by id, when the amendment is sound.
  absl::StatusOr<Specs> Check(const Run& run, const PlanAmendment& amendment);
  absl::Status CheckNotBegun(const PlanAmendment& amendment);
  absl::Status CheckDependencies(const std::string& plan, const TaskSpec& spec);

  void Add(const Run& run, const TaskSpec& spec, int position);
  void Change(Task& task, const TaskChange& change, const TaskSpec& spec, const std::string& actor);
  void PlaceAfterDependencies(Task& task);
  void Remove(Task& task, const std::string& detail, const std::string& actor);

  Board& board_;
  TaskFlow& tasks_;
  base::Clock& clock_;
};

}  // namespace slipway::dispatcher
