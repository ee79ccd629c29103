#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/planner/domain/plan.h"
#include "services/planner/domain/project.h"

namespace slipway::planner {

// Where the run of a plan stands, as far as the plan cares.
enum class RunState { kRunning, kSucceeded, kFailed, kCancelled };

struct Run {
  RunState state = RunState::kRunning;
  std::string detail;
};

// The dispatcher, as the planner needs it. Thread-safe; blocks.
class DispatcherClient {
 public:
  virtual ~DispatcherClient() = default;

  // Hands a plan over at its approved version; idempotent. Returns its run as it stands.
  virtual absl::StatusOr<Run> Submit(const Project& project, const PlanHead& plan,
                                     const PlanContent& content) = 0;

  // Makes the run of `plan` carry out `plan.version` in place of `plan.approved_version`: all of
  // `delta` or nothing; idempotent. With `validate_only` only asks whether it could.
  // FAILED_PRECONDITION (TASKS_BEGUN) when a task that it touches has begun.
  virtual absl::StatusOr<Run> Amend(const PlanHead& plan, const PlanDelta& delta,
                                    bool validate_only) = 0;

  // NOT_FOUND when the dispatcher has no such plan.
  virtual absl::StatusOr<Run> GetRun(const std::string& plan) = 0;
};

}  // namespace slipway::planner
