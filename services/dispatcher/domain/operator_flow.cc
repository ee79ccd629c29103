#include "services/dispatcher/domain/operator_flow.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status_macros.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/domain/plan_graph.h"

namespace slipway::dispatcher {
namespace {

using enum TaskState;

// A budget scope is a task's, or one that the task is charged to: also that of its role.
bool BudgetCovers(const std::string& scope, const Task& task) {
  if (scope == "organisation" || Covers(scope, task.key)) return true;
  const std::string project = ProjectOf(task.key.plan);
  return absl::StartsWith(scope, absl::StrCat(project, "/roles/")) ||
         absl::StartsWith(scope, absl::StrCat(task.key.Name(), "/attempts/"));
}

// What the diagnosis would say with the decision; empty when it advises another one.
std::string AdviceFor(const Checkpoint& checkpoint, Decision decision) {
  const std::optional<Diagnosis>& diagnosis = checkpoint.diagnosis;
  const bool advised = diagnosis.has_value() && diagnosis->advice == decision &&
                       (decision == Decision::kRetry || decision == Decision::kEdit);
  return advised ? diagnosis->guidance : "";
}

std::string OptionNames(const Checkpoint& checkpoint) {
  return absl::StrJoin(checkpoint.options, ", ", [](std::string* out, Decision decision) {
    absl::StrAppend(out, Name(decision));
  });
}

}  // namespace

absl::StatusOr<Run> OperatorFlow::SubmitPlan(const PlanSpec& spec) {
  if (const Run* const known = board_.FindRun(spec.plan); known != nullptr) {
    if (known->version == spec.version && known->digest == spec.digest) return *known;
    return PlanSubmitted(spec.plan);
  }
  board_.AddRun({.plan = spec.plan,
                 .title = spec.title,
                 .version = spec.version,
                 .digest = spec.digest,
                 .branch = spec.branch,
                 .tip = spec.base_commit,
                 .policy = spec.policy,
                 .start_time = clock_.Now()});
  int position = 0;
  for (const TaskSpec& task : spec.tasks) {
    const bool ready = task.depends_on.empty();
    Task added{.key = {.plan = spec.plan, .id = task.id},
               .position = position++,
               .spec = task,
               .state = ready ? kReady : kBlocked};
    if (ready) added.ready_time = clock_.Now();
    board_.AddTask(std::move(added));
  }
  return *board_.FindRun(spec.plan);
}

absl::StatusOr<Run> OperatorFlow::CancelRun(const std::string& plan, const std::string& reason) {
  Run* const run = board_.FindRun(plan);
  if (run == nullptr) return RunUnknown(plan);
  if (run->state == RunState::kCancelled) return *run;
  if (IsEnd(run->state)) return RunStateWrong(plan, run->state, "cancel it");
  board_.Move(*run, RunState::kCancelled, reason.empty() ? "cancelled" : reason);
  for (Task* const task : board_.TasksOf(plan)) {
    if (!IsEnd(task->state)) {
      tasks_.End(*task, TaskCommand::kCancel, kCancelled, "the run was cancelled");
    }
  }
  return *run;
}

absl::StatusOr<Task*> OperatorFlow::FindOpen(const TaskKey& key, absl::string_view operation) {
  const Run* const run = board_.FindRun(key.plan);
  if (run == nullptr) return TaskUnknown(key.Name());
  if (IsEnd(run->state)) return RunStateWrong(key.plan, run->state, operation);
  Task* const task = board_.FindTask(key);
  if (task == nullptr) return TaskUnknown(key.Name());
  return task;
}

absl::StatusOr<Task> OperatorFlow::RetryTask(const TaskKey& key, const std::string& guidance,
                                             const std::string& actor) {
  if (guidance.size() > kGuidanceBytesMax) return GuidanceTooLarge(guidance.size());
  ASSIGN_OR_RETURN(Task* const task, FindOpen(key, "retry"));
  switch (task->state) {
    case kReady:
      return *task;  // A repeat, or what was asked for anyway.
    case kRetryWait:
      if (!guidance.empty()) task->progress.guidance = guidance;
      tasks_.Release(*task);
      return *task;
    case kNeedsHuman: {
      Checkpoint* const checkpoint =
          board_.FindCheckpoint({.task = key, .number = task->open_checkpoint});
      if (checkpoint != nullptr) {
        board_.Resolve(*checkpoint, Decision::kRetry, guidance, actor);
      }
      Restart(*task, guidance);
      return *task;
    }
    case kFailed:
    case kCancelled:
      if (!guidance.empty()) task->progress.guidance = guidance;
      tasks_.Revive(*task);
      return *task;
    default:
      return TaskStateWrong(key.Name(), task->state, "retry");
  }
}

absl::StatusOr<Task> OperatorFlow::CancelTask(const TaskKey& key) {
  ASSIGN_OR_RETURN(Task* const task, FindOpen(key, "cancel"));
  if (task->state == kCancelled) return *task;
  if (task->progress.landing) return TaskLanding(key.Name());
  if (task->state == kMerging || !Allows(task->state, TaskCommand::kCancel)) {
    return TaskStateWrong(key.Name(), task->state, "cancel");
  }
  tasks_.End(*task, TaskCommand::kCancel, kCancelled, "cancelled by a person");
  return *task;
}

absl::StatusOr<Resolution> OperatorFlow::Resolve(const CheckpointKey& key, Decision decision,
                                                 const std::string& guidance,
                                                 const std::string& actor) {
  if (guidance.size() > kGuidanceBytesMax) return GuidanceTooLarge(guidance.size());
  Checkpoint* const checkpoint = board_.FindCheckpoint(key);
  Task* const task = board_.FindTask(key.task);
  if (checkpoint == nullptr || task == nullptr) return CheckpointUnknown(key.Name());
  if (checkpoint->decision == decision && decision != Decision::kNone) {
    return Resolution{.checkpoint = *checkpoint, .task = *task};
  }
  const bool open = task->state == kNeedsHuman && task->open_checkpoint == key.number;
  if (checkpoint->decision != Decision::kNone || !open) {
    return CheckpointResolved(key.Name(), checkpoint->decision);
  }
  const auto& options = checkpoint->options;
  const std::string said = guidance.empty() ? AdviceFor(*checkpoint, decision) : guidance;
  const bool edits_to_nothing = decision == Decision::kEdit && said.empty();
  if (edits_to_nothing || std::find(options.begin(), options.end(), decision) == options.end()) {
    return DecisionInvalid(edits_to_nothing ? "EDIT without a new description" : Name(decision),
                           OptionNames(*checkpoint));
  }
  board_.Resolve(*checkpoint, decision, said, actor);
  Apply(*task, *checkpoint, decision, said, actor);
  return Resolution{.checkpoint = *checkpoint, .task = *task};
}

void OperatorFlow::Apply(Task& task, const Checkpoint& checkpoint, Decision decision,
                         const std::string& guidance, const std::string& actor) {
  task.open_checkpoint = 0;
  switch (decision) {
    case Decision::kEdit: {
      TaskSpec edited = task.spec;
      edited.description = guidance;
      board_.SetSpec(task, std::move(edited));
      return Restart(task, "");
    }
    case Decision::kSkip:
      return tasks_.End(task, TaskCommand::kSkip, kSkipped, guidance);
    case Decision::kFail:
      return tasks_.End(task, TaskCommand::kFail, kFailed,
                        guidance.empty() ? checkpoint.question : guidance);
    case Decision::kAccept: {
      const bool patch = checkpoint.reason == "QUARANTINE";
      (patch ? task.progress.patch_approver : task.progress.approver) =
          actor.empty() ? "unknown" : actor;
      return board_.Move(task, TaskCommand::kAccept, patch ? kInspecting : kMerging);
    }
    case Decision::kRetry:
    case Decision::kNone:
      return Restart(task, guidance);
  }
}

void OperatorFlow::Restart(Task& task, const std::string& guidance) {
  if (!guidance.empty()) task.progress.guidance = guidance;
  tasks_.Restart(task);
}

absl::StatusOr<int> OperatorFlow::Pause(const std::string& scope, bool stop_agents,
                                        const std::string& reason, const std::string& actor) {
  if (!board_.KnowsScope(scope)) return ScopeUnknown(scope);
  if (board_.pauses().count(scope) == 0) {
    board_.SetPause({.scope = scope, .reason = reason, .actor = actor, .time = clock_.Now()});
  }
  for (const TaskState state : {kReady, kRetryWait}) {
    for (Task* const task : board_.TasksIn(state)) {
      if (!Covers(scope, task->key) || board_.LiveAttempt(*task) != nullptr) continue;
      tasks_.Pause(*task, "operator", reason, std::nullopt);
    }
  }
  return stop_agents ? StopAgents(scope) : 0;
}

int OperatorFlow::StopAgents(const std::string& scope) {
  int stopped = 0;
  const std::set<AttemptKey> live = board_.live_attempts();
  for (const AttemptKey& key : live) {
    if (!Covers(scope, key.task)) continue;
    Task& task = *board_.FindTask(key.task);
    tasks_.StopAgent(task, AttemptCommand::kPause, AttemptState::kPaused, "operator");
    ++stopped;
    if (task.state == kRunning || task.state == kReady) {
      tasks_.Pause(task, "operator", "stopped by a person", std::nullopt);
    }
  }
  return stopped;
}

absl::StatusOr<int> OperatorFlow::Resume(const std::string& scope, const std::string& actor) {
  if (!board_.KnowsScope(scope)) return ScopeUnknown(scope);
  if (board_.pauses().count(scope) > 0) board_.EndPause(scope, actor);
  int resumed = 0;
  for (Task* const task : board_.TasksIn(kPaused)) {
    if (!Covers(scope, task->key) || board_.IsPaused(task->key)) continue;
    // A person who names what waits for money or a provider wants it to look again now.
    tasks_.Resume(*task);
    ++resumed;
  }
  return resumed;
}

void OperatorFlow::BudgetRaised(const std::string& scope) {
  for (Task* const task : board_.TasksIn(kPaused)) {
    if (task->reason == "budget" && BudgetCovers(scope, *task)) tasks_.Resume(*task);
  }
}

}  // namespace slipway::dispatcher
