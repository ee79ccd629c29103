#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "lib/events/event.h"
#include "services/dispatcher/domain/agent_fleet.h"
#include "services/dispatcher/domain/attempt.h"
#include "services/dispatcher/domain/audit_report.h"
#include "services/dispatcher/domain/checkpoint.h"
#include "services/dispatcher/domain/run.h"
#include "services/dispatcher/domain/scheduling.h"
#include "services/dispatcher/domain/task.h"

namespace slipway::dispatcher {

struct TaskWrite {
  Task task;
  bool insert = false;
  bool spec_changed = false;   // Else an update has none and leaves the stored one as it is.
  int64_t expected_epoch = 0;  // The stored epoch that an update replaces.
};

struct ResultWrite {
  AttemptKey attempt;
  AttemptResult result;
  bool salvage = false;
};

// What one command changes, committed as a whole.
struct ChangeSet {
  std::vector<Run> runs;
  std::vector<TaskWrite> tasks;
  std::vector<Attempt> attempts;
  std::vector<Checkpoint> checkpoints;
  std::vector<Pause> pauses;
  std::vector<std::string> ended_pauses;  // By scope.
  std::vector<ResultWrite> results;
  std::vector<StartIntent> starts;
  std::vector<std::string> ended_starts;  // By agent.
  std::vector<HostOrder> host_orders;
  std::vector<events::EventDraft> events;
  std::optional<std::string> ledger_cursor;
  std::optional<absl::Duration> lease_timeout;  // Of this term.
  std::optional<GrantRules> rules;              // Likewise.
  std::vector<ProjectUsage> usage;

  bool empty() const {
    return runs.empty() && tasks.empty() && attempts.empty() && checkpoints.empty() &&
           pauses.empty() && ended_pauses.empty() && results.empty() && starts.empty() &&
           ended_starts.empty() && host_orders.empty() && events.empty() &&
           !ledger_cursor.has_value() && !lease_timeout.has_value() && !rules.has_value() &&
           usage.empty();
  }
};

// What the core keeps in memory: every run, and of those under way everything else.
struct Snapshot {
  std::vector<Run> runs;  // Oldest first.
  std::vector<Task> tasks;
  std::vector<Attempt> attempts;
  std::vector<Checkpoint> checkpoints;
  std::vector<Pause> pauses;
  std::vector<Attempt> open_keys;   // Ended attempts whose keys were not revoked, of all runs.
  std::vector<StartIntent> starts;  // Of agents that may still run.
  std::vector<HostOrder> host_orders;
  std::vector<ProjectUsage> usage;
  std::string ledger_cursor;
};

// The dispatcher's memory across restarts. Thread-safe. Reads block on disk and see every commit
// whose callback was called.
class TaskStore {
 public:
  virtual ~TaskStore() = default;

  virtual absl::StatusOr<Snapshot> Load() = 0;

  // Commits in the order of the calls and calls `committed` when the change survives a crash, in
  // the same order, on a thread of the store. Ends the process when it cannot: what is in memory
  // would not be what is on disk.
  virtual void Commit(ChangeSet changes, absl::AnyInvocable<void() &&> committed) = 0;

  virtual absl::StatusOr<std::optional<Run>> FindRun(const std::string& plan) = 0;
  // Newest first, before position `before` (0: from the newest), of a project or of all.
  struct RunPage {
    std::vector<Run> runs;
    int64_t next = 0;  // 0 at the end.
  };
  virtual absl::StatusOr<RunPage> ListRuns(const std::string& project, int64_t before,
                                           int limit) = 0;
  virtual absl::StatusOr<std::vector<std::pair<TaskState, int>>> CountTasks(
      const std::string& plan) = 0;

  virtual absl::StatusOr<std::optional<Task>> FindTask(const TaskKey& key) = 0;
  // In the order of the plan, from position `from` on; all states when `states` is empty.
  virtual absl::StatusOr<std::vector<Task>> ListTasks(const std::string& plan,
                                                      const std::vector<TaskState>& states,
                                                      int from, int limit) = 0;

  virtual absl::StatusOr<std::optional<Attempt>> FindAttempt(const AttemptKey& key) = 0;
  virtual absl::StatusOr<std::vector<Attempt>> ListAttempts(const TaskKey& task) = 0;

  // Oldest first, after row `after`.
  struct CheckpointPage {
    std::vector<Checkpoint> checkpoints;
    int64_t next = 0;
  };
  virtual absl::StatusOr<CheckpointPage> ListCheckpoints(const std::string& plan,
                                                         bool show_resolved, int64_t after,
                                                         int limit) = 0;

  virtual absl::StatusOr<std::vector<Pause>> ListPauses() = 0;

  struct KeptChange {
    ChangeResult change;
    bool salvage = false;
  };
  // What the attempt handed in, if that was a change.
  virtual absl::StatusOr<std::optional<KeptChange>> FindChange(const AttemptKey& attempt) = 0;
  // The same from memory, where it is soon after it was handed in; once.
  virtual std::optional<ChangeResult> TakeRecentChange(const AttemptKey& attempt) {
    static_cast<void>(attempt);
    return std::nullopt;
  }
  virtual absl::StatusOr<ChangeResult> ReadChange(const AttemptKey& attempt) = 0;
  virtual absl::StatusOr<EvidenceResult> ReadEvidence(const AttemptKey& attempt) = 0;

  // Checks every invariant of what is stored, against one state of it. Reads everything.
  virtual absl::StatusOr<AuditResult> Audit() = 0;
};

}  // namespace slipway::dispatcher
