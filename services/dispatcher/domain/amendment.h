#pragma once

#include <string>
#include <vector>

#include "services/dispatcher/domain/task.h"

namespace slipway::dispatcher {

// A change to a task: the named fields of `spec` replace those of the task with its id.
struct TaskChange {
  TaskSpec spec;
  std::vector<std::string> fields;  // As in slipway.dispatcher.v1.TaskSpec.
};

// What changed between two versions of a plan, as it is handed over.
struct PlanAmendment {
  std::string plan;  // projects/{p}/plans/{n}
  int version = 0;
  int base_version = 0;
  std::vector<TaskSpec> added;
  std::vector<TaskChange> changed;
  std::vector<std::string> removed;
  std::string actor;
  std::string digest;  // Of the hand-over without the actor, for idempotency.
};

}  // namespace slipway::dispatcher
