#include "services/dispatcher/domain/review_flow.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/metrics/metrics.h"
#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

using enum TaskState;

metrics::Histogram step_seconds({.name = "slipway_dispatcher_step_seconds",
                                 .description = "Time of a step of the review.",
                                 .labels = {"step", "outcome"}});

bool IsUnderReview(TaskState state) {
  return state == kInspecting || state == kValidating || state == kJudging || state == kMerging;
}

// Whether the change has to wait until others of its plan have landed.
bool WaitsForOthers(const absl::Status& status) {
  return base::ReasonOf(status) == "QUEUE_WAITING";
}

bool IsTransient(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kDeadlineExceeded ||
         status.code() == absl::StatusCode::kCancelled ||
         status.code() == absl::StatusCode::kResourceExhausted;
}

bool AsksForNewCandidate(const std::string& reason) {
  return reason == "BRANCH_MOVED" || reason == "EVIDENCE_MISSING" || reason == "EVIDENCE_FAILED" ||
         reason == "CANDIDATE_UNKNOWN" || reason == "TREE_DIFFERS" || reason == "VALIDATORS_DIFFER";
}

std::string Describe(const RefusalReason& reason) {
  return absl::StrCat(reason.code, reason.path.empty() ? "" : " ", reason.path, ": ",
                      reason.detail);
}

}  // namespace

ReviewFlow::ReviewFlow(Board& board, TaskFlow& tasks, Outbox& outbox, Reviewer& reviewer,
                       base::Clock& clock, Randomness random, Post post)
    : board_(board),
      tasks_(tasks),
      outbox_(outbox),
      reviewer_(reviewer),
      clock_(clock),
      random_(std::move(random)),
      post_(std::move(post)) {}

void ReviewFlow::Drive() {
  for (const Task* const task : board_.TakeTouched()) {
    const auto step = steps_.find(task->key);
    // A step whose task has left the state has nothing more to say.
    if (step != steps_.end() &&
        (task->state != step->second.state || task->epoch != step->second.epoch)) {
      Forget(step);
    }
    if (IsUnderReview(task->state)) waiting_.insert(task->key);
    KeepQueue(*task);
  }
  std::vector<Task*> tasks;
  for (const TaskKey& key : waiting_) {
    if (Task* const task = board_.FindTask(key); task != nullptr) tasks.push_back(task);
  }
  std::sort(tasks.begin(), tasks.end(), [](const Task* a, const Task* b) {
    return std::tie(a->state, a->position, a->key) < std::tie(b->state, b->position, b->key);
  });
  for (Task* const task : tasks) Consider(*task);
  DriveLanes();
}

void ReviewFlow::Consider(Task& task) {
  const auto step = steps_.find(task.key);
  const bool under_way = step != steps_.end() && step->second.under_way;
  if (under_way || !IsUnderReview(task.state) || IsEnd(board_.RunOf(task.key).state)) {
    waiting_.erase(task.key);
  } else if (MayStart(task)) {
    waiting_.erase(task.key);
    // Merges of one plan go one by one, so that the tip that is stored last is the tip.
    if (task.state != kMerging && !task.lands_at_once()) return StartStep(task);
    lanes_[task.key.plan].emplace(task.progress.queue_number, task.key);
    free_lanes_.insert(task.key.plan);
  }
}

void ReviewFlow::Forget(Steps::iterator step) {
  if (step->second.under_way && step->second.state == kMerging) EndMerge(step->first.plan);
  steps_.erase(step);
}

size_t ReviewFlow::steps_under_way() const {
  return static_cast<size_t>(std::count_if(
      steps_.begin(), steps_.end(), [](const auto& entry) { return entry.second.under_way; }));
}

bool ReviewFlow::MayStart(const Task& task) {
  if (board_.IsPaused(task.key)) return false;
  const auto step = steps_.find(task.key);
  return step == steps_.end() || step->second.not_before <= clock_.Elapsed();
}

ReviewFlow::Step& ReviewFlow::Begin(const Task& task) {
  Step& step = steps_[task.key];
  step.state = task.state;
  step.epoch = task.epoch;
  step.ticket = ++last_ticket_;
  step.under_way = true;
  step.started = clock_.Elapsed();
  return step;
}

void ReviewFlow::StartStep(Task& task) {
  Step& step = Begin(task);
  const uint64_t ticket = step.ticket;
  const TaskKey key = task.key;
  if (task.state == kInspecting) return StartInspecting(task, ticket);
  if (task.state == kValidating) return StartValidating(task, ticket, step);
  const std::string candidate = task.progress.candidate.value_or(Candidate()).name;
  if (task.state == kJudging) {
    JudgeStep judge{.candidate = candidate,
                    .title = task.spec.title,
                    .description = task.spec.description,
                    .acceptance = task.spec.acceptance,
                    .critical = task.spec.critical,
                    .round = std::max(1, task.progress.judge_round)};
    return outbox_.Add([this, judge = std::move(judge),
                        done = Then(key, ticket, &ReviewFlow::OnJudgement)]() mutable {
      reviewer_.Judge(judge, std::move(done));
    });
  }
  merging_.insert(key.plan);
  MergeStep merge{.candidate = candidate, .approver = task.progress.approver};
  if (!task.is_integration()) merge.queue = QueueOf(task.key.plan);
  outbox_.Add(
      [this, merge = std::move(merge), done = Then(key, ticket, &ReviewFlow::OnMerged)]() mutable {
        reviewer_.Merge(merge, std::move(done));
      });
}

InspectStep ReviewFlow::InspectStepOf(const Task& task) {
  const AttemptKey work{.task = task.key, .epoch = task.progress.work_epoch};
  const Attempt* const attempt = board_.FindAttempt(work);
  return {.attempt = work,
          .base_commit = attempt == nullptr ? "" : attempt->commit,
          .allowed_paths = task.spec.allowed_paths,
          .title = task.spec.title,
          .approver = task.progress.patch_approver};
}

void ReviewFlow::StartInspecting(const Task& task, uint64_t ticket) {
  const AttemptKey work{.task = task.key, .epoch = task.progress.work_epoch};
  if (task.is_integration() || task.progress.inspected) {
    CandidateStep step;
    if (task.is_integration()) step.plan = task.key.plan;
    step.attempt = work;
    if (!task.is_integration()) step.queue = QueueOf(task.key.plan);
    return outbox_.Add([this, step = std::move(step),
                        done = Then(task.key, ticket, &ReviewFlow::OnCandidate)]() mutable {
      reviewer_.CreateCandidate(step, std::move(done));
    });
  }
  outbox_.Add([this, step = InspectStepOf(task),
               done = Then(task.key, ticket, &ReviewFlow::OnInspection)]() mutable {
    reviewer_.Inspect(step, std::move(done));
  });
}

void ReviewFlow::StartValidating(const Task& task, uint64_t ticket, Step& step) {
  const Attempt* const attempt = board_.FindAttempt(task.attempt());
  if (attempt == nullptr || attempt->kind != GrantKind::kValidate ||
      attempt->state != AttemptState::kReported || !task.progress.candidate.has_value()) {
    step.under_way = false;  // An agent has yet to run the validators.
    return;
  }
  EvidenceStep evidence{.candidate = task.progress.candidate->name, .attempt = attempt->key};
  outbox_.Add([this, evidence = std::move(evidence),
               done = Then(task.key, ticket, &ReviewFlow::OnEvidence)]() mutable {
    reviewer_.RecordEvidence(evidence, std::move(done));
  });
}

template <typename T>
Reviewer::Done<T> ReviewFlow::Then(const TaskKey& key, uint64_t ticket,
                                   void (ReviewFlow::*handle)(Task&, const T&)) {
  return [this, key, ticket, handle](absl::StatusOr<T> result) {
    post_([this, key, ticket, handle, result = std::move(result)] {
      OnDone(key, ticket, result, handle);
    });
  };
}

template <typename T>
void ReviewFlow::OnDone(const TaskKey& key, uint64_t ticket, const absl::StatusOr<T>& result,
                        void (ReviewFlow::*handle)(Task&, const T&)) {
  const auto found = steps_.find(key);
  if (found == steps_.end() || found->second.ticket != ticket) return;
  Task* const task = board_.FindTask(key);
  Step& step = found->second;
  if (task == nullptr || task->state != step.state || task->epoch != step.epoch) return;
  step.under_way = false;
  if (step.state == kMerging) EndMerge(key.plan);
  waiting_.insert(key);
  const char* const outcome = result.ok()                       ? "ok"
                              : WaitsForOthers(result.status()) ? "waits"
                                                                : "error";
  step_seconds.Observe({Name(step.state), outcome}, clock_.Elapsed() - step.started);
  if (!result.ok()) return OnFailure(*task, step, result.status());
  step.failures = 0;
  step.queued = false;
  (this->*handle)(*task, *result);
  if (!step.queued) WakeQueue(key.plan);
}

void ReviewFlow::OnReviews(const std::string& plan, const std::vector<Reviewed>& changes,
                           const absl::StatusOr<ReviewOutcomes>& outcomes) {
  for (size_t i = 0; i < changes.size(); ++i) {
    absl::StatusOr<ReviewOutcome> outcome =
        absl::InternalError("the reviewer's answer leaves out changes");
    if (!outcomes.ok()) {
      outcome = outcomes.status();
    } else if (i < outcomes->size()) {
      outcome = (*outcomes)[i];
    }
    OnDone(changes[i].key, changes[i].ticket, outcome, &ReviewFlow::OnReview);
  }
  EndMerge(plan);
}

void ReviewFlow::OnReview(Task& task, const ReviewOutcome& outcome) {
  task.progress.landing = false;
  OnInspection(task, outcome.inspection);
  if (!outcome.inspection.accepted || !outcome.candidate.has_value()) return;
  // Nothing else of the plan lands while it is reviewed.
  if (const auto* merged = std::get_if<Merged>(&*outcome.candidate)) return OnMerged(task, *merged);
  OnCandidate(task, *outcome.candidate);
  if (task.state != kJudging || !outcome.judgement.has_value()) return;
  OnJudgement(task, *outcome.judgement);
  if (task.state != kMerging || !outcome.merged.has_value()) return;
  OnMerged(task, *outcome.merged);
}

void ReviewFlow::OnInspection(Task& task, const Inspection& inspection) {
  if (inspection.accepted) {
    task.progress.inspected = true;
    task.progress.queue_number = ++last_queue_number_;
    return board_.Touch(task);
  }
  std::vector<std::string> lines;
  for (const RefusalReason& reason : inspection.reasons) lines.push_back(Describe(reason));
  const std::string first = lines.empty() ? "no reason given" : lines.front();
  const std::string code = lines.empty() ? "REFUSED" : inspection.reasons.front().code;
  const std::string feedback = absl::StrCat("the patch was refused: ", absl::StrJoin(lines, "\n"));
  if (inspection.human_may_accept) {
    tasks_.AddFeedback(task, feedback);
    return tasks_.Ask(task, "QUARANTINE",
                      absl::StrCat("The patch was refused (", first, "). Let it through?"),
                      /*accept=*/true);
  }
  tasks_.RejectChange(task, code, first);
  tasks_.Fail(task, {.retry_class = RetryClass::kAgent,
                     .reason = code,
                     .detail = absl::StrCat("the patch was refused: ", first),
                     .feedback = feedback});
}

void ReviewFlow::OnCandidate(Task& task, const CandidateOutcome& outcome) {
  if (const auto* merged = std::get_if<Merged>(&outcome)) {
    if (!IsOvertaken(task.key)) return OnMerged(task, *merged);
    // Asked again at once, or when the landing that is under way has ended.
    if (merging_.count(task.key.plan) > 0) OnQueued(task, "a landing of its plan is under way");
    return;
  }
  if (const auto* conflict = std::get_if<Conflict>(&outcome)) return OnConflict(task, *conflict);
  if (const auto* queued = std::get_if<Queued>(&outcome)) return OnQueued(task, queued->detail);
  if (const auto* rejected = std::get_if<Rejected>(&outcome)) {
    return RejectForValidators(task, rejected->feedback);
  }
  OnBuilt(task, std::get<Candidate>(outcome));
}

void ReviewFlow::OnConflict(Task& task, const Conflict& conflict) {
  std::vector<std::string> paths;
  std::string hunks;
  for (const Conflict::Path& path : conflict.paths) {
    paths.push_back(path.path);
    absl::StrAppend(&hunks, "\n", path.path, " (", path.kind, "):\n", path.hunks);
  }
  const std::string detail = absl::StrCat("conflicts in ", absl::StrJoin(paths, ", "));
  tasks_.RejectChange(task, "CONFLICT", detail);
  tasks_.Fail(task, {.retry_class = RetryClass::kConflict,
                     .reason = "CONFLICT",
                     .detail = detail,
                     .feedback = absl::StrCat("the change conflicts with what was merged since; "
                                              "write it again on the present state:",
                                              hunks)});
}

void ReviewFlow::OnBuilt(Task& task, const Candidate& candidate) {
  task.progress.candidate = candidate;
  if (!candidate.evidence_passed && !candidate.validators.empty()) {
    return board_.Move(task, TaskCommand::kValidate, kValidating);
  }
  Judge(task);
}

void ReviewFlow::OnQueued(Task& task, const std::string& detail) {
  Step& step = steps_[task.key];
  step.queued = true;
  step.not_before = clock_.Elapsed() + kQueuePollInterval;
  if (task.detail == detail) return;
  task.detail = detail;
  board_.Touch(task);
}

void ReviewFlow::OnEvidence(Task& task, const EvidenceOutcome& outcome) {
  if (Attempt* const attempt = board_.FindAttempt(task.attempt()); attempt != nullptr) {
    const std::string flaky =
        outcome.flaky.empty() ? "" : absl::StrCat("flaky: ", absl::StrJoin(outcome.flaky, ", "));
    board_.Move(*attempt, AttemptCommand::kAccept, AttemptState::kAccepted,
                outcome.passed  ? "PASSED"
                : outcome.rerun ? "RERUN"
                                : "FAILED",
                flaky);
  }
  if (outcome.passed) return Judge(task);
  if (outcome.rerun) {
    // Another grant follows, in a fresh sandbox.
    task.detail = "the validators failed and run on the same tree again";
    return board_.Touch(task);
  }
  if (outcome.unresolved) {
    task.progress.candidate.reset();
    return board_.Move(task, TaskCommand::kRebuild, kInspecting, "QUEUE",
                       "the validators failed; a change ahead of it may be the cause");
  }
  RejectForValidators(task, outcome.feedback);
}

void ReviewFlow::RejectForValidators(Task& task, const std::string& feedback) {
  tasks_.RejectChange(task, "VALIDATORS_FAILED", feedback);
  tasks_.Fail(task, {.retry_class = RetryClass::kAgent,
                     .reason = "VALIDATORS_FAILED",
                     .detail = "the validators failed",
                     .feedback = absl::StrCat("the validators failed:\n", feedback)});
}

void ReviewFlow::Judge(Task& task) {
  if (task.is_integration() || !task.progress.approver.empty()) {
    return board_.Move(task, TaskCommand::kMerge, kMerging);
  }
  ++task.progress.judge_round;
  board_.Move(task, TaskCommand::kJudge, kJudging);
}

void ReviewFlow::OnJudgement(Task& task, const Judgement& judgement) {
  switch (judgement.verdict) {
    case Verdict::kPassed:
      if (!board_.RunOf(task.key).policy.human_approval) {
        return board_.Move(task, TaskCommand::kMerge, kMerging);
      }
      return tasks_.Ask(task, "APPROVAL_REQUIRED",
                        absl::StrCat("Merge \"", task.spec.title, "\"? ", judgement.summary),
                        /*accept=*/true);
    case Verdict::kGapsFound: {
      const std::string gaps = absl::StrJoin(judgement.gaps, "\n- ");
      tasks_.RejectChange(task, "GAPS_FOUND", judgement.summary);
      return tasks_.Fail(task, {.retry_class = RetryClass::kAgent,
                                .reason = "GAPS_FOUND",
                                .detail = judgement.summary,
                                .feedback = absl::StrCat(
                                    "the review found gaps: ", judgement.summary, "\n- ", gaps)});
    }
    case Verdict::kHumanNeeded:
      return tasks_.Ask(task, "HUMAN_NEEDED", judgement.summary, /*accept=*/true);
  }
}

void ReviewFlow::OnMerged(Task& task, const Merged& merged) {
  if (const auto queue = queues_.find(task.key.plan); queue != queues_.end()) {
    queue->second.last_ticket = last_ticket_;
  }
  tasks_.Land(task, merged.commit, merged.tip, merged.detail);
}

void ReviewFlow::Rebuild(Task& task, const absl::Status& status) {
  if (task.state == kInspecting) return;
  task.progress.candidate.reset();
  board_.Move(task, TaskCommand::kRebuild, kInspecting, base::ReasonOf(status), status.message());
}

void ReviewFlow::OnFailure(Task& task, Step& step, const absl::Status& status) {
  const std::string reason = base::ReasonOf(status);
  const base::ErrorDetail detail = base::DetailOf(status).value_or(base::ErrorDetail());
  if (reason == "BUDGET_DENIED" && task.state == kJudging) {
    return tasks_.Pause(task, "budget", status.message(), clock_.Now() + kBudgetRecheck);
  }
  if (reason == "GATE_CLOSED" && task.state == kJudging) {
    return tasks_.Pause(task, "rate_limit", status.message(),
                        clock_.Now() + detail.retry_after.value_or(kRateLimitDefault));
  }
  if (reason == "BRANCH_MOVED") return Rebuild(task, status);
  step.queued = WaitsForOthers(status);
  if (step.queued) {
    step.not_before = clock_.Elapsed() + kQueuePollInterval;
    return;
  }
  step.not_before =
      clock_.Elapsed() + detail.retry_after.value_or(StepDelay(step.failures++, random_));
  if (IsTransient(status)) return;
  if (++task.progress.step_failures > kStepFailuresMax) {
    return tasks_.Ask(task, "STEP_FAILED",
                      absl::StrCat("The review of \"", task.spec.title, "\" stops at ",
                                   Name(task.state), ": ", status.message()));
  }
  board_.Touch(task);
  if (reason == "VERDICT_MISSING" && task.state == kMerging) {
    ++task.progress.judge_round;
    return board_.Move(task, TaskCommand::kJudge, kJudging);
  }
  if (AsksForNewCandidate(reason)) Rebuild(task, status);
}

std::string ReviewFlow::DescribeMemory() const {
  const absl::Duration now = clock_.Elapsed();
  std::string text;
  const std::map<TaskKey, Step> in_order(steps_.begin(), steps_.end());
  for (const auto& [key, step] : in_order) {
    const absl::Duration wait = std::max(absl::ZeroDuration(), step.not_before - now);
    absl::StrAppend(&text, key.Name(), " ", Name(step.state), " ", step.epoch, step.under_way,
                    step.queued, IsOvertaken(key), " ", step.failures, " ",
                    absl::FormatDuration(wait), "\n");
  }
  return text;
}

}  // namespace slipway::dispatcher
