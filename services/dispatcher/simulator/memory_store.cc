#include "services/dispatcher/simulator/memory_store.h"

#include <algorithm>

namespace slipway::dispatcher::simulator {
namespace {

template <typename Map, typename Key>
auto ValueOf(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? std::nullopt : std::make_optional(found->second);
}

}  // namespace

bool MemoryStore::RunQueued() {
  const bool any = !queue_.empty();
  for (auto& [changes, committed] : std::exchange(queue_, {})) {
    Apply(std::move(changes));
    std::move(committed)();
  }
  return any;
}

void MemoryStore::Commit(ChangeSet changes, absl::AnyInvocable<void() &&> committed) {
  queue_.emplace_back(std::move(changes), std::move(committed));
}

void MemoryStore::Apply(ChangeSet changes) {
  for (Run& run : changes.runs) runs_[run.plan] = std::move(run);
  for (TaskWrite& write : changes.tasks) {
    Task& task = tasks_[write.task.key];
    if (!write.insert && !write.spec_changed) write.task.spec = std::move(task.spec);
    task = std::move(write.task);
  }
  for (Attempt& attempt : changes.attempts) attempts_[attempt.key] = std::move(attempt);
  for (Checkpoint& checkpoint : changes.checkpoints) {
    checkpoints_[checkpoint.key] = std::move(checkpoint);
  }
  for (Pause& pause : changes.pauses) pauses_.emplace(pause.scope, pause);
  for (const std::string& scope : changes.ended_pauses) pauses_.erase(scope);
  for (ResultWrite& result : changes.results) {
    results_.emplace(result.attempt, std::move(result.result));
  }
  for (events::EventDraft& draft : changes.events) {
    events_.push_back({.sequence = static_cast<int64_t>(events_.size()) + 1,
                       .append_time = absl::UnixEpoch(),
                       .draft = std::move(draft)});
  }
  for (ProjectUsage& usage : changes.usage) usage_[usage.project] = std::move(usage);
  if (changes.ledger_cursor.has_value()) ledger_cursor_ = *changes.ledger_cursor;
}

absl::StatusOr<Snapshot> MemoryStore::Load() {
  Snapshot snapshot{.ledger_cursor = ledger_cursor_};
  const auto is_open = [this](const std::string& plan) { return !IsEnd(runs_.at(plan).state); };
  for (const auto& [plan, run] : runs_) snapshot.runs.push_back(run);
  for (const auto& [key, task] : tasks_) {
    if (is_open(key.plan)) snapshot.tasks.push_back(task);
  }
  for (const auto& [key, attempt] : attempts_) {
    if (is_open(key.task.plan)) {
      snapshot.attempts.push_back(attempt);
    } else if (attempt.key_open) {
      snapshot.open_keys.push_back(attempt);
    }
  }
  for (const auto& [key, checkpoint] : checkpoints_) {
    if (is_open(key.task.plan)) snapshot.checkpoints.push_back(checkpoint);
  }
  for (const auto& [scope, pause] : pauses_) snapshot.pauses.push_back(pause);
  for (const auto& [project, usage] : usage_) snapshot.usage.push_back(usage);
  return snapshot;
}

absl::StatusOr<std::optional<Run>> MemoryStore::FindRun(const std::string& plan) {
  return ValueOf(runs_, plan);
}

absl::StatusOr<TaskStore::RunPage> MemoryStore::ListRuns(const std::string& project, int64_t, int) {
  RunPage page;
  for (const auto& [plan, run] : runs_) {
    if (project.empty() || ProjectOf(plan) == project) page.runs.push_back(run);
  }
  return page;
}

absl::StatusOr<std::vector<std::pair<TaskState, int>>> MemoryStore::CountTasks(
    const std::string& plan) {
  std::map<TaskState, int> counts;
  for (const auto& [key, task] : tasks_) counts[task.state] += key.plan == plan;
  return std::vector<std::pair<TaskState, int>>(counts.begin(), counts.end());
}

absl::StatusOr<std::optional<Task>> MemoryStore::FindTask(const TaskKey& key) {
  return ValueOf(tasks_, key);
}

absl::StatusOr<std::vector<Task>> MemoryStore::ListTasks(const std::string& plan,
                                                         const std::vector<TaskState>& states,
                                                         int from, int limit) {
  std::vector<Task> found;
  for (const auto& [key, task] : tasks_) {
    const bool wanted =
        states.empty() || std::find(states.begin(), states.end(), task.state) != states.end();
    if (key.plan == plan && wanted && task.position >= from) found.push_back(task);
  }
  std::sort(found.begin(), found.end(),
            [](const Task& a, const Task& b) { return a.position < b.position; });
  if (found.size() > static_cast<size_t>(limit)) found.resize(static_cast<size_t>(limit));
  return found;
}

absl::StatusOr<std::optional<Attempt>> MemoryStore::FindAttempt(const AttemptKey& key) {
  return ValueOf(attempts_, key);
}

absl::StatusOr<std::vector<Attempt>> MemoryStore::ListAttempts(const TaskKey& task) {
  std::vector<Attempt> found;
  for (const auto& [key, attempt] : attempts_) {
    if (key.task == task) found.push_back(attempt);
  }
  return found;
}

absl::StatusOr<TaskStore::CheckpointPage> MemoryStore::ListCheckpoints(const std::string& plan,
                                                                       bool show_resolved, int64_t,
                                                                       int) {
  CheckpointPage page;
  for (const auto& [key, checkpoint] : checkpoints_) {
    const bool open = !checkpoint.resolve_time.has_value();
    if ((plan.empty() || key.task.plan == plan) && (show_resolved || open)) {
      page.checkpoints.push_back(checkpoint);
    }
  }
  return page;
}

absl::StatusOr<std::vector<Pause>> MemoryStore::ListPauses() {
  std::vector<Pause> found;
  for (const auto& [scope, pause] : pauses_) found.push_back(pause);
  return found;
}

absl::StatusOr<std::optional<TaskStore::KeptChange>> MemoryStore::FindChange(
    const AttemptKey& attempt) {
  const auto found = results_.find(attempt);
  const auto* const change =
      found == results_.end() ? nullptr : std::get_if<ChangeResult>(&found->second);
  if (change == nullptr) return std::nullopt;
  const auto of = attempts_.find(attempt);
  const bool salvage = of != attempts_.end() && of->second.state == AttemptState::kSalvaged;
  return KeptChange{.change = *change, .salvage = salvage};
}

absl::StatusOr<ChangeResult> MemoryStore::ReadChange(const AttemptKey& attempt) {
  absl::StatusOr<std::optional<KeptChange>> kept = FindChange(attempt);
  if (!kept.ok() || !kept->has_value()) return absl::NotFoundError(attempt.Name());
  return (*kept)->change;
}

absl::StatusOr<EvidenceResult> MemoryStore::ReadEvidence(const AttemptKey& attempt) {
  const auto found = results_.find(attempt);
  const auto* const evidence =
      found == results_.end() ? nullptr : std::get_if<EvidenceResult>(&found->second);
  if (evidence == nullptr) return absl::NotFoundError(attempt.Name());
  return *evidence;
}

absl::StatusOr<AuditResult> MemoryStore::Audit() {
  return absl::NotFoundError("a store in memory has no tables");
}

}  // namespace slipway::dispatcher::simulator
