#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "services/dispatcher/domain/board.h"
#include "services/dispatcher/domain/task_flow.h"

namespace slipway::dispatcher {

// An answered question and what became of its task.
struct Resolution {
  Checkpoint checkpoint;
  Task task;
};

// What people and other services ask for. Every operation may be repeated. Used by the core's
// thread.
class OperatorFlow final {
 public:
  OperatorFlow(Board& board, TaskFlow& tasks, base::Clock& clock)
      : board_(board), tasks_(tasks), clock_(clock) {}

  // `spec` was checked by CheckPlan. Fails with PLAN_SUBMITTED.
  absl::StatusOr<Run> SubmitPlan(const PlanSpec& spec);

  // RUN_UNKNOWN, RUN_STATE.
  absl::StatusOr<Run> CancelRun(const std::string& plan, const std::string& reason);

  // TASK_UNKNOWN, TASK_STATE, RUN_STATE.
  absl::StatusOr<Task> RetryTask(const TaskKey& key, const std::string& guidance,
                                 const std::string& actor);
  absl::StatusOr<Task> CancelTask(const TaskKey& key);

  // CHECKPOINT_UNKNOWN, CHECKPOINT_RESOLVED, DECISION_INVALID.
  absl::StatusOr<Resolution> Resolve(const CheckpointKey& key, Decision decision,
                                     const std::string& guidance, const std::string& actor);

  // How many attempts were stopped. SCOPE_UNKNOWN.
  absl::StatusOr<int> Pause(const std::string& scope, bool stop_agents, const std::string& reason,
                            const std::string& actor);
  // How many tasks can go on. SCOPE_UNKNOWN.
  absl::StatusOr<int> Resume(const std::string& scope, const std::string& actor);

  // A budget on `scope` ("organisation", or a resource name) was raised or removed.
  void BudgetRaised(const std::string& scope);

 private:
  absl::StatusOr<Task*> FindOpen(const TaskKey& key, absl::string_view operation);
  void Apply(Task& task, const Checkpoint& checkpoint, Decision decision,
             const std::string& guidance, const std::string& actor);
  void Restart(Task& task, const std::string& guidance);
  int StopAgents(const std::string& scope);

  Board& board_;
  TaskFlow& tasks_;
  base::Clock& clock_;
};

}  // namespace slipway::dispatcher
