#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/dispatcher/domain/keys.h"

namespace slipway::dispatcher {

// What decides when a task that can be granted has its turn.
struct ReadyTask {
  TaskKey key;
  std::string project;
  bool validates = false;  // Finishing work comes before starting some.
  int priority = 0;
  absl::Time ready_time;
  absl::Duration remaining_path;
};

// What a project uses and may use.
struct ProjectShare {
  int running = 0;
  int parallel_max = 0;  // 0: no limit.
};

// The tasks in the order of their turns, those beyond their project's parallel_max left out. The
// project with the fewest attempts is first; within it validation, priority raised by waiting,
// the longest remaining path, time of readiness, and name. Total, hence the same on every run.
std::vector<ReadyTask> OrderOfTurns(std::vector<ReadyTask> ready,
                                    std::map<std::string, ProjectShare> shares, absl::Time now);

}  // namespace slipway::dispatcher
