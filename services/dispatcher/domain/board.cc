#include "services/dispatcher/domain/board.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/json_object.h"
#include "lib/base/utf8.h"
#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

using base::JsonObject;

// The number of no commit.
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// Whatever happens to the task, its next attempt is one at work.
bool WorkIsNext(const Task& task) {
  return task.state == TaskState::kBlocked || task.state == TaskState::kReady;
}

std::string Text(absl::string_view text) { return base::ToUtf8(text, kDetailBytesMax); }

[[noreturn]] void EndOnBadTransition(const std::string& name, absl::string_view from,
                                     absl::string_view command, absl::string_view to) {
  const std::string text =
      absl::StrCat("no such transition: ", name, " ", from, " --", command, "--> ", to, "\n");
  fputs(text.c_str(), stderr);
  std::abort();
}

// What a task is, is most of it, and seldom changes.
Task WithoutSpec(const Task& task) {
  return {.key = task.key,
          .position = task.position,
          .state = task.state,
          .epoch = task.epoch,
          .reason = task.reason,
          .detail = task.detail,
          .resume_time = task.resume_time,
          .ready_time = task.ready_time,
          .end_time = task.end_time,
          .merged_commit = task.merged_commit,
          .open_checkpoint = task.open_checkpoint,
          .progress = task.progress};
}

template <typename Map, typename Key>
auto* Find(Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace

bool Covers(absl::string_view scope, const TaskKey& key) {
  return scope == kEverything || scope == key.plan || scope == ProjectOf(key.plan) ||
         scope == key.Name();
}

void Board::Restore(Snapshot snapshot) {
  for (Run& run : snapshot.runs) {
    if (!IsEnd(run.state)) stirred_runs_.insert(run.plan);
    runs_.emplace(run.plan, std::move(run));
  }
  for (Task& task : snapshot.tasks) {
    stored_epochs_[task.key] = task.epoch;
    TaskKey key = task.key;
    Task& restored = tasks_.emplace(std::move(key), std::move(task)).first->second;
    restored.work_next_commit = WorkIsNext(restored) ? 0 : kNever;
    touched_.Add(restored);
    stirred_.Add(restored);
    Index(restored);
  }
  for (Attempt& attempt : snapshot.attempts) {
    if (IsLive(attempt.state)) live_.insert(attempt.key);
    attempts_.emplace(attempt.key, std::move(attempt));
  }
  for (Attempt& attempt : snapshot.open_keys) attempts_.emplace(attempt.key, std::move(attempt));
  for (Checkpoint& checkpoint : snapshot.checkpoints) {
    asked_.insert(checkpoint.key);
    checkpoints_.emplace(checkpoint.key, std::move(checkpoint));
  }
  for (Pause& pause : snapshot.pauses) pauses_.emplace(pause.scope, std::move(pause));
}

Run* Board::FindRun(const std::string& plan) { return Find(runs_, plan); }
Task* Board::FindTask(const TaskKey& key) { return Find(tasks_, key); }
Attempt* Board::FindAttempt(const AttemptKey& key) { return Find(attempts_, key); }
Checkpoint* Board::FindCheckpoint(const CheckpointKey& key) { return Find(checkpoints_, key); }

Attempt* Board::LiveAttempt(const Task& task) {
  Attempt* const attempt = FindAttempt(task.attempt());
  return attempt != nullptr && IsLive(attempt->state) ? attempt : nullptr;
}

std::vector<Task*> Board::TasksOf(const std::string& plan) {
  const auto found = plans_.find(plan);
  if (found == plans_.end()) return {};
  std::vector<Task*> tasks = found->second.tasks;
  std::sort(tasks.begin(), tasks.end(),
            [](const Task* a, const Task* b) { return a->position < b->position; });
  return tasks;
}

std::vector<Task*> Board::DependentsOf(const TaskKey& key) {
  PlanIndex& index = plans_[key.plan];
  if (!index.dependents.has_value()) {
    index.dependents.emplace();
    for (const Task* const task : TasksOf(key.plan)) {
      const std::set<std::string> needs(task->spec.depends_on.begin(), task->spec.depends_on.end());
      for (const std::string& id : needs) (*index.dependents)[id].push_back(task->key);
    }
  }
  std::vector<Task*> dependents;
  const auto found = index.dependents->find(key.id);
  if (found == index.dependents->end()) return dependents;
  for (const TaskKey& dependent : found->second) dependents.push_back(&tasks_.at(dependent));
  return dependents;
}

int Board::CountOpen(const std::string& plan) const {
  const auto found = plans_.find(plan);
  return found == plans_.end() ? 0 : found->second.open;
}

void Board::Index(Task& task) {
  by_state_[task.state].insert(&task);
  PlanIndex& index = plans_[task.key.plan];
  index.tasks.push_back(&task);
  index.open += !IsEnd(task.state);
  index.dependents.reset();
}

void Board::Stir(const std::string& plan) {
  const auto found = plans_.find(plan);
  if (found == plans_.end()) return;
  for (const Task* const task : found->second.tasks) stirred_.Add(*task);
}

void Board::Stir(const Attempt& attempt) {
  if (const Task* const task = FindTask(attempt.key.task); task != nullptr) stirred_.Add(*task);
}

// What is paused, and what is not any more, can be among them.
void Board::StirWaiting() {
  for (const TaskState state : {TaskState::kReady, TaskState::kValidating}) {
    for (const Task* const task : by_state_[state]) stirred_.Add(*task);
  }
}

std::vector<Task*> Board::TasksIn(TaskState state) {
  const absl::flat_hash_set<Task*>& in = by_state_[state];
  std::vector<Task*> tasks(in.begin(), in.end());
  std::sort(tasks.begin(), tasks.end(),
            [](const Task* a, const Task* b) { return a->key < b->key; });
  return tasks;
}

size_t Board::CountIn(TaskState state) const {
  const auto found = by_state_.find(state);
  return found == by_state_.end() ? 0 : found->second.size();
}

std::vector<Run*> Board::ActiveRuns() {
  std::vector<Run*> active;
  for (auto& [plan, run] : runs_) {
    if (!IsEnd(run.state)) active.push_back(&run);
  }
  return active;
}

std::vector<AttemptKey> Board::OpenKeys() const {
  std::vector<AttemptKey> keys;
  for (const auto& [key, attempt] : attempts_) {
    if (attempt.key_open && !IsLive(attempt.state)) keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

bool Board::KnowsScope(const std::string& scope) const {
  if (scope == kEverything || runs_.count(scope) > 0) return true;
  for (const auto& [plan, run] : runs_) {
    if (ProjectOf(plan) == scope) return true;
  }
  return std::any_of(tasks_.begin(), tasks_.end(),
                     [&](const auto& entry) { return entry.first.Name() == scope; });
}

void Board::AddRun(Run run) {
  Run& added = runs_.emplace(run.plan, std::move(run)).first->second;
  changed_runs_.insert(added.plan);
  stirred_runs_.insert(added.plan);
  Emit("run.state_changed",
       JsonObject()
           .Add("from", "")
           .Add("to", Name(added.state))
           .Add("detail", Text(added.title))
           .Take(),
       added.plan, nullptr, nullptr);
}

Task& Board::AddTask(Task task) {
  TaskKey key = task.key;
  Task& added = tasks_.emplace(std::move(key), std::move(task)).first->second;
  Index(added);
  Touch(added);
  EmitTask(added, "");
  return added;
}

Attempt& Board::AddAttempt(Attempt attempt) {
  AttemptKey key = attempt.key;
  Attempt& added = attempts_.emplace(std::move(key), std::move(attempt)).first->second;
  live_.insert(added.key);
  changed_attempts_.Add(added);
  Stir(added);
  EmitAttempt(added, "");
  return added;
}

Checkpoint& Board::AddCheckpoint(Checkpoint checkpoint) {
  const CheckpointKey key = checkpoint.key;
  Checkpoint& added = checkpoints_.emplace(key, std::move(checkpoint)).first->second;
  changed_checkpoints_.insert(key);
  asked_.insert(key);
  Emit("checkpoint.opened",
       JsonObject()
           .Add("checkpoint", key.Name())
           .Add("reason", added.reason)
           .Add("question", Text(added.question))
           .Take(),
       key.task.plan, &key.task, nullptr);
  return added;
}

void Board::Move(Task& task, TaskCommand command, TaskState to, absl::string_view reason,
                 absl::string_view detail) {
  const TaskState from = task.state;
  if (!Allows(from, command, to)) {
    EndOnBadTransition(task.key.Name(), Name(from), Name(command), Name(to));
  }
  by_state_[from].erase(&task);
  by_state_[to].insert(&task);
  plans_[task.key.plan].open += IsEnd(from) - IsEnd(to);
  task.state = to;
  task.reason = std::string(reason);
  task.detail = Text(detail);
  task.resume_time.reset();
  task.end_time.reset();
  if (IsEnd(to)) task.end_time = clock_.Now();
  if (to == TaskState::kReady && !task.ready_time.has_value()) task.ready_time = clock_.Now();
  Touch(task);
  EmitTask(task, Name(from));
  task.failure.clear();
}

void Board::SetSpec(Task& task, TaskSpec spec) {
  task.spec = std::move(spec);
  plans_[task.key.plan].dependents.reset();
  changed_specs_.insert(task.key);
  Touch(task);
}

void Board::Move(Attempt& attempt, AttemptCommand command, AttemptState to,
                 absl::string_view reason, absl::string_view detail) {
  const AttemptState from = attempt.state;
  if (!Allows(from, command, to)) {
    EndOnBadTransition(attempt.key.Name(), Name(from), Name(command), Name(to));
  }
  attempt.state = to;
  attempt.reason = std::string(reason);
  attempt.detail = Text(detail);
  if (!IsLive(to)) {
    live_.erase(attempt.key);
    if (!attempt.end_time.has_value()) attempt.end_time = clock_.Now();
  }
  changed_attempts_.Add(attempt);
  Stir(attempt);
  EmitAttempt(attempt, Name(from));
}

void Board::Move(Run& run, RunState to, absl::string_view result) {
  const RunState from = run.state;
  run.state = to;
  run.result = Text(result);
  if (IsEnd(to)) run.end_time = clock_.Now();
  changed_runs_.insert(run.plan);
  stirred_runs_.insert(run.plan);
  Emit("run.state_changed",
       JsonObject().Add("from", Name(from)).Add("to", Name(to)).Add("detail", run.result).Take(),
       run.plan, nullptr, nullptr);
}

void Board::Resolve(Checkpoint& checkpoint, Decision decision, const std::string& guidance,
                    const std::string& actor) {
  checkpoint.decision = decision;
  checkpoint.guidance = guidance;
  checkpoint.actor = actor;
  checkpoint.resolve_time = clock_.Now();
  changed_checkpoints_.insert(checkpoint.key);
  const TaskKey& task = checkpoint.key.task;
  Emit("checkpoint.resolved",
       JsonObject()
           .Add("checkpoint", checkpoint.key.Name())
           .Add("decision", Name(decision))
           .Add("actor", actor)
           .Take(),
       task.plan, &task, nullptr);
}

void Board::Diagnose(Checkpoint& checkpoint, Diagnosis diagnosis) {
  const TaskKey& task = checkpoint.key.task;
  Emit("checkpoint.diagnosed",
       JsonObject()
           .Add("checkpoint", checkpoint.key.Name())
           .Add("cause", Text(diagnosis.cause))
           .Add("advice", diagnosis.advice == Decision::kNone ? "" : Name(diagnosis.advice))
           .Add("role", diagnosis.role)
           .Add("problem", Text(diagnosis.problem))
           .Take(),
       task.plan, &task, nullptr);
  checkpoint.diagnosis = std::move(diagnosis);
  changed_checkpoints_.insert(checkpoint.key);
}

void Board::SetPause(Pause pause) {
  JsonObject facts;
  facts.Add("scope", pause.scope).Add("paused", true).Add("reason", "operator");
  facts.Add("actor", pause.actor);
  const bool below_project = absl::StartsWith(pause.scope, "projects/");
  changes_.pauses.push_back(pause);
  Emit("pause.changed", facts.Take(), below_project ? pause.scope : "", nullptr, nullptr);
  pauses_[pause.scope] = std::move(pause);
  StirWaiting();
}

void Board::EndPause(const std::string& scope, const std::string& actor) {
  pauses_.erase(scope);
  StirWaiting();
  changes_.ended_pauses.push_back(scope);
  JsonObject facts;
  facts.Add("scope", scope).Add("paused", false).Add("reason", "operator").Add("actor", actor);
  Emit("pause.changed", facts.Take(), absl::StartsWith(scope, "projects/") ? scope : "", nullptr,
       nullptr);
}

bool Board::IsPaused(const TaskKey& key) const {
  return std::any_of(pauses_.begin(), pauses_.end(),
                     [&](const auto& pause) { return Covers(pause.first, key); });
}

void Board::StoreResult(const AttemptKey& attempt, AttemptResult result, bool salvage) {
  changes_.results.push_back({.attempt = attempt, .result = std::move(result), .salvage = salvage});
}

void Board::EmitProgress(const AttemptKey& attempt, absl::string_view phase,
                         absl::string_view detail) {
  Emit("attempt.progressed",
       JsonObject()
           .Add("phase", base::ToUtf8(phase, 40))
           .Add("detail", base::ToUtf8(detail, 200))
           .Take(),
       attempt.task.plan, &attempt.task, &attempt);
}

void Board::EmitStale(const AttemptKey& attempt, int64_t current_epoch, absl::string_view message) {
  Emit("stale.refused",
       JsonObject()
           .Add("epoch", attempt.epoch)
           .Add("current_epoch", current_epoch)
           .Add("message", message)
           .Take(),
       attempt.task.plan, &attempt.task, &attempt);
}

void Board::EmitAmended(const Run& run, const Amended& amended) {
  // What a person reads; the tasks themselves have everything.
  static constexpr size_t kIdsMax = 100;
  const auto first = [](std::vector<std::string> ids) {
    ids.resize(std::min(ids.size(), kIdsMax));
    return ids;
  };
  JsonObject facts;
  facts.Add("version", run.version).Add("base_version", amended.base_version);
  facts.Add("added", first(amended.added)).Add("changed", first(amended.changed));
  facts.Add("removed", first(amended.removed)).Add("actor", amended.actor);
  Emit("run.amended", facts.Take(), run.plan, nullptr, nullptr);
}

void Board::EmitTask(const Task& task, absl::string_view from) {
  const auto agent_retries = task.progress.retries.find("agent");
  const int retries = agent_retries == task.progress.retries.end() ? 0 : agent_retries->second;
  JsonObject facts;
  facts.Add("from", from).Add("to", Name(task.state)).Add("epoch", task.epoch);
  facts.Add("reason", task.reason).Add("detail", task.detail).Add("title", Text(task.spec.title));
  facts.Add("fingerprint", task.failure).Add("retries", retries);
  Emit("task.state_changed", facts.Take(), task.key.plan, &task.key, nullptr);
}

void Board::EmitAttempt(const Attempt& attempt, absl::string_view from) {
  JsonObject facts;
  facts.Add("from", from).Add("to", Name(attempt.state)).Add("epoch", attempt.key.epoch);
  facts.Add("grant_kind", Name(attempt.kind)).Add("host", attempt.host);
  facts.Add("reason", attempt.reason).Add("detail", attempt.detail);
  Emit("attempt.state_changed", facts.Take(), attempt.key.task.plan, &attempt.key.task,
       &attempt.key);
}

// `plan` may also be the name of a project, or of a task for a pause.
void Board::Emit(absl::string_view kind, const std::string& facts_json, const std::string& plan,
                 const TaskKey* task, const AttemptKey* attempt) {
  events::EventDraft draft{.kind = std::string(kind),
                           .payload_json = events::PayloadJson(kind, facts_json)};
  if (!plan.empty()) {
    draft.project = ProjectOf(plan);
    const size_t tasks = plan.find("/tasks/");
    const std::string whole_plan = plan.substr(0, tasks);
    if (whole_plan != draft.project) draft.plan = whole_plan;
    if (tasks != std::string::npos) draft.task = plan;
  }
  if (task != nullptr) draft.task = task->Name();
  if (attempt != nullptr) draft.attempt = attempt->Name();
  changes_.events.push_back(std::move(draft));
}

ChangeSet Board::TakeChanges(int64_t commit) {
  ChangeSet changes = std::exchange(changes_, {});
  for (const std::string& plan : std::exchange(changed_runs_, {})) {
    changes.runs.push_back(runs_.at(plan));
  }
  for (const Task* const task : changed_tasks_.Take()) {
    const auto [stored, insert] = stored_epochs_.try_emplace(task->key, 0);
    const bool spec_changed = changed_specs_.contains(task->key);
    changes.tasks.push_back({.task = insert || spec_changed ? *task : WithoutSpec(*task),
                             .insert = insert,
                             .spec_changed = spec_changed,
                             .expected_epoch = stored->second});
    stored->second = task->epoch;
    tasks_.at(task->key).work_next_commit = WorkIsNext(*task) ? commit : kNever;
  }
  changed_specs_.clear();
  for (const Attempt* const attempt : changed_attempts_.Take()) {
    changes.attempts.push_back(*attempt);
  }
  for (const CheckpointKey& key : std::exchange(changed_checkpoints_, {})) {
    changes.checkpoints.push_back(checkpoints_.at(key));
  }
  return changes;
}

void Board::ForgetEnded() {
  for (auto at = plans_.begin(); at != plans_.end();) {
    const std::vector<Task*>& tasks = at->second.tasks;
    const bool keep =
        !IsEnd(runs_.at(at->first).state) ||
        std::any_of(tasks.begin(), tasks.end(), [this](const Task* task) {
          return changed_tasks_.Has(*task) || touched_.Has(*task) || stirred_.Has(*task);
        });
    if (keep) {
      ++at;
      continue;
    }
    for (Task* const task : tasks) {
      by_state_[task->state].erase(task);
      stored_epochs_.erase(task->key);
      const TaskKey key = task->key;
      tasks_.erase(key);
    }
    at = plans_.erase(at);
  }
  absl::erase_if(attempts_, [this](const auto& entry) {
    return tasks_.count(entry.first.task) == 0 && !entry.second.key_open &&
           !changed_attempts_.Has(entry.second);
  });
  std::erase_if(checkpoints_, [this](const auto& entry) {
    return tasks_.count(entry.first.task) == 0 && changed_checkpoints_.count(entry.first) == 0;
  });
}

}  // namespace slipway::dispatcher
