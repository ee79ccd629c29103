#include "services/dispatcher/domain/task_flow.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/utf8.h"
#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

using enum TaskState;

std::string SpentReason(const Fault& fault) {
  switch (fault.retry_class) {
    case RetryClass::kAgent:
      return "RETRIES_SPENT";
    case RetryClass::kConflict:
      return "CONFLICT";
    case RetryClass::kInfrastructure:
      return "INFRASTRUCTURE";
    case RetryClass::kProvider:
      return "PROVIDER";
    case RetryClass::kStall:
      return "STALLED";
  }
  return "";
}

std::string SpentQuestion(const Task& task, const Fault& fault, int retries) {
  return absl::StrCat("Task \"", task.spec.title, "\" failed ", retries + 1, " times (",
                      Name(fault.retry_class), "), last: ", fault.detail,
                      ". Retry with guidance, edit it, skip it, or fail the plan?");
}

std::vector<std::string> EvidenceOf(const Task& task) {
  std::vector<std::string> lines;
  for (const std::string& feedback : task.progress.feedback) {
    const std::vector<absl::string_view> parts = absl::StrSplit(feedback, absl::MaxSplits('\n', 1));
    lines.push_back(base::ToUtf8(parts.front(), kDetailBytesMax));
  }
  if (!task.detail.empty()) lines.push_back(task.detail);
  return lines;
}

}  // namespace

void TaskFlow::Fail(Task& task, const Fault& fault) {
  AddFeedback(task, fault.feedback);
  const RunPolicy& policy = board_.RunOf(task.key).policy;
  int& used = task.progress.retries[std::string(Name(fault.retry_class))];
  const bool spent = used >= RetriesMax(fault.retry_class, policy);
  ClearReview(task);
  if (task.is_integration()) {
    return Ask(task, SpentReason(fault), SpentQuestion(task, fault, used));
  }
  if (!fault.died_on.empty() && NoteDeath(task, fault.died_on)) return;
  NoteFailure(task, fault);
  if (AskForPattern(task, fault)) return;
  if (spent) return Ask(task, SpentReason(fault), SpentQuestion(task, fault, used));
  if (AskForSameFailure(task, fault)) return;
  const absl::Duration delay =
      RetryDelay(fault.retry_class, used, settings_.backoff_initial, random_);
  ++used;
  const std::string detail = absl::StrCat(fault.reason, ": ", fault.detail);
  if (delay == absl::ZeroDuration()) {
    return board_.Move(task, TaskCommand::kRequeue, kReady, Name(fault.retry_class), detail);
  }
  board_.Move(task, TaskCommand::kWait, kRetryWait, Name(fault.retry_class), detail);
  task.resume_time = clock_.Now() + delay;
}

void TaskFlow::FailValidation(Task& task, const Fault& fault) {
  if (!fault.died_on.empty() && NoteDeath(task, fault.died_on)) return;
  int& used = task.progress.retries[std::string(Name(RetryClass::kInfrastructure))];
  if (used >= kInfrastructureRetriesMax) {
    return Ask(task, "INFRASTRUCTURE", SpentQuestion(task, fault, used));
  }
  task.resume_time = clock_.Now() + RetryDelay(RetryClass::kInfrastructure, used++,
                                               settings_.backoff_initial, random_);
  task.detail = absl::StrCat(fault.reason, ": ", fault.detail);
  board_.Touch(task);
}

void TaskFlow::Requeue(Task& task, absl::string_view reason, absl::string_view detail) {
  if (task.state == kRunning) {
    return board_.Move(task, TaskCommand::kRequeue, kReady, reason, detail);
  }
  const absl::Time later = clock_.Now() + settings_.backoff_initial;
  if (task.state == kReady) board_.Move(task, TaskCommand::kWait, kRetryWait, reason, detail);
  task.resume_time = later;
  board_.Touch(task);
}

void TaskFlow::Pause(Task& task, absl::string_view reason, absl::string_view detail,
                     std::optional<absl::Time> resume_time) {
  const bool under_review = task.state == kInspecting || task.state == kValidating ||
                            task.state == kJudging || task.state == kMerging;
  task.progress.paused_in = under_review ? task.state : kReady;
  board_.Move(task, TaskCommand::kPause, kPaused, reason, detail);
  task.resume_time = resume_time;
}

void TaskFlow::Resume(Task& task) {
  board_.Move(task, TaskCommand::kResume, std::exchange(task.progress.paused_in, kReady));
}

void TaskFlow::Ask(Task& task, absl::string_view reason, absl::string_view question, bool accept,
                   TaskCommand command) {
  Checkpoint checkpoint{.key = {.task = task.key, .number = ++task.progress.checkpoints},
                        .reason = std::string(reason),
                        .question = base::ToUtf8(question, 2 * kDetailBytesMax),
                        .evidence = EvidenceOf(task),
                        .options = {Decision::kRetry, Decision::kSkip, Decision::kFail},
                        .open_time = clock_.Now()};
  if (!task.is_integration()) checkpoint.options.push_back(Decision::kEdit);
  if (accept) checkpoint.options.push_back(Decision::kAccept);
  task.open_checkpoint = checkpoint.key.number;
  board_.Move(task, command, kNeedsHuman, reason, question);
  board_.AddCheckpoint(std::move(checkpoint));
}

void TaskFlow::Land(Task& task, const std::string& commit, const std::string& tip,
                    const std::string& detail) {
  Run& run = board_.RunOf(task.key);
  task.merged_commit = commit;
  if (Attempt* const work =
          board_.FindAttempt({.task = task.key, .epoch = task.progress.work_epoch});
      work != nullptr && work->state == AttemptState::kReported) {
    board_.Move(*work, AttemptCommand::kAccept, AttemptState::kAccepted);
  }
  board_.Move(task, TaskCommand::kLand, kMerged, "", detail);
  if (task.is_integration()) return board_.Move(run, RunState::kSucceeded, detail);
  SetTip(run, tip.empty() ? commit : tip);
  UnblockDependents(task);
  CheckRunEnd(run);
}

void TaskFlow::NoteReturn(const std::string& plan, const std::string& from, const std::string& to) {
  Run* const run = board_.FindRun(plan);
  if (run == nullptr || IsEnd(run->state)) {
    returns_.erase(plan);
    return;
  }
  returns_[plan][from] = to;
  SetTip(*run, run->tip);
}

// A merge may be told of before or after what took it back.
void TaskFlow::SetTip(Run& run, const std::string& tip) {
  std::string now = tip;
  if (const auto returns = returns_.find(run.plan); returns != returns_.end()) {
    // Each leads to a newer commit, so that this ends.
    for (auto next = returns->second.find(now); next != returns->second.end();
         next = returns->second.find(now)) {
      now = next->second;
    }
  }
  if (now == run.tip) return;
  run.tip = now;
  board_.Touch(run);
}

void TaskFlow::End(Task& task, TaskCommand command, TaskState to, absl::string_view detail) {
  Withdraw(task, AttemptCommand::kRevoke, AttemptState::kRevoked, Name(to));
  Run& run = board_.RunOf(task.key);
  task.open_checkpoint = 0;
  board_.Move(task, command, to, "", detail);
  if (IsEnd(run.state)) return;
  if (task.is_integration()) {
    if (to == kSkipped) {
      return board_.Move(
          run, RunState::kSucceeded,
          absl::StrCat("not integrated by decision; the changes are on ", run.branch));
    }
    return board_.Move(run, RunState::kFailed, absl::StrCat("the integration failed: ", detail));
  }
  if (to == kSkipped) {
    UnblockDependents(task);
  } else {
    SkipDependents(task);
  }
  CheckRunEnd(run);
}

void TaskFlow::Remove(Task& task, absl::string_view detail) {
  Withdraw(task, AttemptCommand::kRevoke, AttemptState::kRevoked, kRemovedReason);
  task.open_checkpoint = 0;
  board_.Move(task, TaskCommand::kRemove, kSkipped, kRemovedReason, detail);
}

void TaskFlow::Restart(Task& task) {
  RejectChange(task, task.reason, task.detail);
  ClearReview(task);
  task.open_checkpoint = 0;
  ForgetFailures(task);
  board_.Move(task, TaskCommand::kRetry, task.is_integration() ? kInspecting : kReady);
}

void TaskFlow::Revive(Task& task) {
  ClearReview(task);
  ForgetFailures(task);
  const bool ready = DependenciesSatisfied(task);
  board_.Move(task, TaskCommand::kRevive, ready ? kReady : kBlocked);
  for (const std::string& id : task.spec.depends_on) {
    const TaskKey key{.plan = task.key.plan, .id = id};
    const Task* const dependency = board_.FindTask(key);
    if (dependency == nullptr || !IsEnd(dependency->state) || IsSatisfied(key)) continue;
    // It would wait for ever; whoever revives the dependency revives it, too.
    return board_.Move(task, TaskCommand::kSkip, kSkipped, kDependencyReason,
                       absl::StrCat(id, " is ", Name(dependency->state)));
  }
  for (Task* const other : board_.DependentsOf(task.key)) {
    if (other->state == kSkipped && other->reason == kDependencyReason) Revive(*other);
  }
}

void TaskFlow::StopAgent(Task& task, AttemptCommand command, AttemptState to,
                         absl::string_view reason) {
  Attempt* const live = board_.LiveAttempt(task);
  if (live == nullptr) return;
  if (live->state == AttemptState::kOffered) {
    EndAttempt(*live, AttemptCommand::kRevoke, AttemptState::kRevoked, reason);
  } else {
    EndAttempt(*live, command, to, reason);
  }
}

void TaskFlow::Withdraw(Task& task, AttemptCommand command, AttemptState to,
                        absl::string_view reason) {
  StopAgent(task, command, to, reason);
  for (const int64_t epoch : {task.progress.work_epoch, task.epoch}) {
    Attempt* const reported = board_.FindAttempt({.task = task.key, .epoch = epoch});
    if (reported == nullptr || reported->state != AttemptState::kReported) continue;
    board_.Move(*reported, AttemptCommand::kRevoke, AttemptState::kRevoked, reason);
  }
}

void TaskFlow::EndAttempt(Attempt& attempt, AttemptCommand command, AttemptState to,
                          absl::string_view reason, absl::string_view detail) {
  board_.Move(attempt, command, to, reason, detail);
  if (on_released_) on_released_(attempt);
}

void TaskFlow::RejectChange(Task& task, absl::string_view reason, absl::string_view detail) {
  Attempt* const work = board_.FindAttempt({.task = task.key, .epoch = task.progress.work_epoch});
  if (work == nullptr || work->state != AttemptState::kReported) return;
  board_.Move(*work, AttemptCommand::kReject, AttemptState::kRejected, reason, detail);
}

void TaskFlow::HandOff(Task& task, const Attempt& attempt, const ChangeResult& change) {
  if (IsEnd(task.state)) return;
  std::string patch = base::ToUtf8(change.patch, kHandoffShownBytesMax);
  if (change.patch.size() > patch.size()) {
    patch.resize(patch.rfind('\n') + 1);
    absl::StrAppend(&patch, "... (", change.patch.size(), " bytes in all)\n");
  }
  AddFeedback(task,
              absl::StrCat("attempt ", attempt.key.epoch, " was ended early (", attempt.reason,
                           ") and left this change, which nobody has reviewed; take from it what "
                           "is good: ",
                           change.summary, "\n", patch));
  board_.Touch(task);
}

void TaskFlow::AddFeedback(Task& task, const std::string& feedback) {
  if (feedback.empty()) return;
  std::vector<std::string>& all = task.progress.feedback;
  all.push_back(base::ToUtf8(feedback, kFeedbackBytesMax));
  if (all.size() > kFeedbackMax) all.erase(all.begin());
}

void TaskFlow::ClearReview(Task& task) {
  Progress& progress = task.progress;
  progress.work_epoch = 0;
  progress.inspected = false;
  progress.landing = false;
  progress.queue_number = 0;
  progress.candidate.reset();
  progress.judge_round = 0;
  progress.patch_approver.clear();
  progress.approver.clear();
  progress.step_failures = 0;
}

void TaskFlow::ForgetFailures(Task& task) {
  task.progress.retries.clear();
  task.progress.fingerprint.clear();
  task.progress.same_failures = 0;
  task.progress.deaths.clear();
}

bool TaskFlow::IsSatisfied(const TaskKey& key) {
  const Task* const task = board_.FindTask(key);
  return task != nullptr &&
         (task->state == kMerged || (task->state == kSkipped && task->reason != kDependencyReason));
}

bool TaskFlow::DependenciesSatisfied(const Task& task) {
  return std::all_of(
      task.spec.depends_on.begin(), task.spec.depends_on.end(),
      [&](const std::string& id) { return IsSatisfied({.plan = task.key.plan, .id = id}); });
}

void TaskFlow::UnblockDependents(const Task& task) {
  for (Task* const other : board_.DependentsOf(task.key)) {
    if (other->state == kBlocked && DependenciesSatisfied(*other)) {
      board_.Move(*other, TaskCommand::kUnblock, kReady);
    }
  }
}

void TaskFlow::SkipDependents(const Task& task) {
  for (Task* const other : board_.DependentsOf(task.key)) {
    if (other->state != kBlocked) continue;
    board_.Move(*other, TaskCommand::kSkip, kSkipped, kDependencyReason,
                absl::StrCat(task.key.id.str(), " is ", Name(task.state)));
    SkipDependents(*other);
  }
}

void TaskFlow::CheckRunEnd(Run& run) {
  if (run.state != RunState::kRunning || board_.CountOpen(run.plan) > 0) return;
  int tasks = 0;
  int merged = 0;
  std::string failed;
  for (const Task* const task : board_.TasksOf(run.plan)) {
    ++tasks;
    if (task->state == kMerged) ++merged;
    if (task->state == kFailed || task->state == kCancelled) {
      absl::StrAppend(&failed, failed.empty() ? "" : ", ", task->key.id.str(), " ",
                      Name(task->state));
    }
  }
  if (!failed.empty()) return board_.Move(run, RunState::kFailed, failed);
  if (merged == 0) {
    return board_.Move(run, RunState::kSucceeded, "every task was skipped: nothing to integrate");
  }
  StartIntegration(run, tasks);
}

void TaskFlow::StartIntegration(Run& run, int tasks) {
  board_.Move(run, RunState::kIntegrating, "");
  Task integration{.key = {.plan = run.plan, .id = kIntegrationId},
                   .position = tasks,
                   .spec = {.id = kIntegrationId,
                            .title = absl::StrCat("Integrate ", run.title),
                            .description = "Merges the plan's branch with its target.",
                            .intent = kIntegrationId},
                   .state = kInspecting,
                   .ready_time = clock_.Now()};
  board_.AddTask(std::move(integration));
}

}  // namespace slipway::dispatcher
