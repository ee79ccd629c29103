#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/dispatcher/domain/policy.h"
#include "services/dispatcher/domain/states.h"
#include "services/dispatcher/domain/task.h"

namespace slipway::dispatcher {

// A plan as it is handed over.
struct PlanSpec {
  std::string plan;  // projects/{p}/plans/{n}
  std::string title;
  int version = 0;
  std::string branch;
  std::string base_commit;
  RunPolicy policy;
  std::vector<TaskSpec> tasks;
  std::string digest;  // Of the whole hand-over, for idempotency.
};

// A plan that is carried out.
struct Run {
  std::string plan;
  std::string title;
  int version = 0;
  std::string digest;
  std::string branch;
  std::string tip;  // The commit that new work starts from.
  RunPolicy policy;
  RunState state = RunState::kRunning;
  std::string result;
  absl::Time start_time;
  std::optional<absl::Time> end_time;
};

}  // namespace slipway::dispatcher
