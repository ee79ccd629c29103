#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "services/dispatcher/domain/task_store.h"

namespace slipway::dispatcher::simulator {

// A store that outlives the dispatcher in memory: what was committed is kept, what waits for its
// commit is lost with the process. For explorations, which need a new one for each history. Not
// thread-safe.
class MemoryStore final : public TaskStore {
 public:
  // Commits what waits, in order, with its callbacks; returns whether there was anything.
  bool RunQueued();
  // The process ends: what waits is lost, and so are its callbacks.
  void Crash() { queue_.clear(); }

  const std::map<TaskKey, Task>& tasks() const { return tasks_; }
  const std::map<AttemptKey, Attempt>& attempts() const { return attempts_; }
  std::map<TaskKey, Task>& mutable_tasks() { return tasks_; }
  const std::map<std::string, Run>& runs() const { return runs_; }
  // Numbered from 1 on.
  const std::vector<events::Event>& events() const { return events_; }

  absl::StatusOr<Snapshot> Load() override;
  void Commit(ChangeSet changes, absl::AnyInvocable<void() &&> committed) override;
  absl::StatusOr<std::optional<Run>> FindRun(const std::string& plan) override;
  absl::StatusOr<RunPage> ListRuns(const std::string& project, int64_t before, int limit) override;
  absl::StatusOr<std::vector<std::pair<TaskState, int>>> CountTasks(
      const std::string& plan) override;
  absl::StatusOr<std::optional<Task>> FindTask(const TaskKey& key) override;
  absl::StatusOr<std::vector<Task>> ListTasks(const std::string& plan,
                                              const std::vector<TaskState>& states, int from,
                                              int limit) override;
  absl::StatusOr<std::optional<Attempt>> FindAttempt(const AttemptKey& key) override;
  absl::StatusOr<std::vector<Attempt>> ListAttempts(const TaskKey& task) override;
  absl::StatusOr<CheckpointPage> ListCheckpoints(const std::string& plan, bool show_resolved,
                                                 int64_t after, int limit) override;
  absl::StatusOr<std::vector<Pause>> ListPauses() override;
  absl::StatusOr<std::optional<KeptChange>> FindChange(const AttemptKey& attempt) override;
  absl::StatusOr<ChangeResult> ReadChange(const AttemptKey& attempt) override;
  absl::StatusOr<EvidenceResult> ReadEvidence(const AttemptKey& attempt) override;
  // NOT_FOUND: there are no tables to audit.
  absl::StatusOr<AuditResult> Audit() override;

 private:
  void Apply(ChangeSet changes);

  std::vector<std::pair<ChangeSet, absl::AnyInvocable<void() &&>>> queue_;
  std::map<std::string, Run> runs_;
  std::map<TaskKey, Task> tasks_;
  std::map<AttemptKey, Attempt> attempts_;
  std::map<CheckpointKey, Checkpoint> checkpoints_;
  std::map<std::string, Pause> pauses_;
  std::map<AttemptKey, AttemptResult> results_;
  std::vector<events::Event> events_;
  std::map<std::string, ProjectUsage> usage_;  // By project.
  std::string ledger_cursor_;
};

}  // namespace slipway::dispatcher::simulator
