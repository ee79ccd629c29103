#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "services/dispatcher/domain/attempt.h"
#include "services/dispatcher/domain/checkpoint.h"
#include "services/dispatcher/domain/marked.h"
#include "services/dispatcher/domain/run.h"
#include "services/dispatcher/domain/task.h"
#include "services/dispatcher/domain/task_store.h"
#include "services/dispatcher/domain/transition_table.h"

namespace slipway::dispatcher {

// Every run, and the tasks, attempts and questions of those under way, in memory; and what the
// present command has changed of them. A state changes only by Move, only as the transition table
// says (anything else ends the process), and always with its event. Used by the core's thread.
class Board final {
 public:
  explicit Board(base::Clock& clock) : clock_(clock) {}

  void Restore(Snapshot snapshot);

  Run* FindRun(const std::string& plan);
  Task* FindTask(const TaskKey& key);
  Attempt* FindAttempt(const AttemptKey& key);
  Checkpoint* FindCheckpoint(const CheckpointKey& key);

  // The run of a task; it exists.
  Run& RunOf(const TaskKey& key) { return runs_.at(key.plan); }

  // The newest attempt when it holds an agent; null otherwise.
  Attempt* LiveAttempt(const Task& task);

  // In the order of the plan.
  std::vector<Task*> TasksOf(const std::string& plan);
  // Those that name the task among their dependencies, in the order of the plan.
  std::vector<Task*> DependentsOf(const TaskKey& key);
  // How many tasks of the plan have not ended.
  int CountOpen(const std::string& plan) const;
  std::vector<Task*> TasksIn(TaskState state);
  const std::set<AttemptKey>& live_attempts() const { return live_; }
  std::vector<Run*> ActiveRuns();
  // Ended attempts whose keys for models are not known to be revoked.
  std::vector<AttemptKey> OpenKeys() const;
  // Whether any run, or a task of a run under way, is what `scope` names or below it.
  bool KnowsScope(const std::string& scope) const;
  size_t CountIn(TaskState state) const;

  void AddRun(Run run);
  Task& AddTask(Task task);
  Attempt& AddAttempt(Attempt attempt);
  Checkpoint& AddCheckpoint(Checkpoint checkpoint);

  void Move(Task& task, TaskCommand command, TaskState to, absl::string_view reason = "",
            absl::string_view detail = "");
  void Move(Attempt& attempt, AttemptCommand command, AttemptState to,
            absl::string_view reason = "", absl::string_view detail = "");
  void Move(Run& run, RunState to, absl::string_view result);
  void Resolve(Checkpoint& checkpoint, Decision decision, const std::string& guidance,
               const std::string& actor);

  void Diagnose(Checkpoint& checkpoint, Diagnosis diagnosis);

  // What the task is has changed.
  void SetSpec(Task& task, TaskSpec spec);

  // Marks what was changed in place.
  void Touch(const Task& task) {
    changed_tasks_.Add(task);
    touched_.Add(task);
    stirred_.Add(task);
  }
  void Touch(const Attempt& attempt) { changed_attempts_.Add(attempt); }
  void Touch(const Run& run) { changed_runs_.insert(run.plan); }

  void SetPause(Pause pause);
  void EndPause(const std::string& scope, const std::string& actor);
  const std::map<std::string, Pause>& pauses() const { return pauses_; }
  // Whether the task, or a scope that it is in, is paused by a person.
  bool IsPaused(const TaskKey& key) const;

  void StoreResult(const AttemptKey& attempt, AttemptResult result, bool salvage);
  void StoreLeaseTimeout(absl::Duration timeout) { changes_.lease_timeout = timeout; }
  void StoreRules(GrantRules rules) { changes_.rules = std::move(rules); }
  void StoreUsage(std::vector<ProjectUsage> usage) { changes_.usage = std::move(usage); }
  void StoreStart(StartIntent intent) { changes_.starts.push_back(std::move(intent)); }
  void EndStart(std::string agent) { changes_.ended_starts.push_back(std::move(agent)); }
  void StoreHostOrder(HostOrder order) { changes_.host_orders.push_back(std::move(order)); }
  void StoreLedgerCursor(std::string cursor) { changes_.ledger_cursor = std::move(cursor); }
  void EmitProgress(const AttemptKey& attempt, absl::string_view phase, absl::string_view detail);
  struct Amended {
    int base_version = 0;
    std::vector<std::string> added;
    std::vector<std::string> changed;
    std::vector<std::string> removed;
    std::string actor;
  };
  void EmitAmended(const Run& run, const Amended& amended);
  void EmitStale(const AttemptKey& attempt, int64_t current_epoch, absl::string_view message);

  // What changed since the last call, to be stored in the commit of that number.
  ChangeSet TakeChanges(int64_t commit);

  // The tasks that changed in any way since the last call, at first all of them: whoever decides on
  // tasks looks at these alone.
  std::vector<const Task*> TakeTouched() { return touched_.Take(); }

  // The questions that were asked since the last call, at first all of them.
  std::set<CheckpointKey> TakeAsked() { return std::exchange(asked_, {}); }

  // Tasks of which anything may have changed that their turns go by, and runs that began or ended,
  // since the last call; at first all that are under way.
  std::vector<const Task*> TakeStirred() { return stirred_.Take(); }
  std::set<std::string> TakeStirredRuns() { return std::exchange(stirred_runs_, {}); }
  // Counts every task of the plan among them.
  void Stir(const std::string& plan);

  // Forgets the tasks and attempts of runs that have ended.
  void ForgetEnded();

 private:
  // Of a plan under way: keeps an event's cost independent of how many tasks there are.
  struct PlanIndex {
    std::vector<Task*> tasks;  // In no order.
    int open = 0;
    // By the id of what they depend on; made when it is first asked for after a change of the plan.
    std::optional<std::map<std::string, std::vector<TaskKey>>> dependents;
  };

  void Index(Task& task);
  void Stir(const Attempt& attempt);
  void StirWaiting();
  void EmitTask(const Task& task, absl::string_view from);
  void EmitAttempt(const Attempt& attempt, absl::string_view from);
  void Emit(absl::string_view kind, const std::string& facts_json, const std::string& plan,
            const TaskKey* task, const AttemptKey* attempt);

  base::Clock& clock_;
  std::map<std::string, Run> runs_;
  // Found by hash, as keys are long and alike; nothing goes by the order of these.
  absl::node_hash_map<TaskKey, Task> tasks_;
  absl::node_hash_map<AttemptKey, Attempt> attempts_;
  std::map<CheckpointKey, Checkpoint> checkpoints_;
  std::map<std::string, Pause> pauses_;
  std::map<TaskState, absl::flat_hash_set<Task*>> by_state_;
  std::map<std::string, PlanIndex> plans_;
  std::set<AttemptKey> live_;
  absl::flat_hash_map<TaskKey, int64_t> stored_epochs_;

  std::set<std::string> changed_runs_;
  Marked<Task> changed_tasks_;
  Marked<Task> touched_;
  Marked<Task> stirred_;
  std::set<std::string> stirred_runs_;
  absl::flat_hash_set<TaskKey> changed_specs_;
  Marked<Attempt> changed_attempts_;
  std::set<CheckpointKey> changed_checkpoints_;
  std::set<CheckpointKey> asked_;
  ChangeSet changes_;
};

// Whether `scope` (a resource name or "everything") covers the task.
bool Covers(absl::string_view scope, const TaskKey& key);

}  // namespace slipway::dispatcher
