#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/events/event.h"
#include "lib/sqlite/reader.h"
#include "services/dispatcher/domain/attempt.h"
#include "services/dispatcher/domain/audit_report.h"
#include "services/dispatcher/domain/checkpoint.h"
#include "services/dispatcher/domain/history_walk.h"
#include "services/dispatcher/domain/run.h"
#include "services/dispatcher/domain/scheduling.h"
#include "services/dispatcher/domain/task.h"

namespace slipway::dispatcher {

// Checks every invariant of the dispatcher from one consistent state of its database, without the
// code that keeps them: walks the whole log, and compares what it adds up to with the tables.
// Memory grows with tasks and attempts, not with results or logs.
class Auditor final {
 public:
  explicit Auditor(sqlite::Reader& reader) : reader_(reader) {}

  absl::StatusOr<AuditResult> Run();

 private:
  struct Term {
    absl::Time begin_time;
    int64_t begin_sequence = 0;  // Of the newest event before it.
    absl::Duration lease_timeout;
    std::optional<GrantRules> rules;
  };
  struct StoredResult {
    bool salvage = false;
    bool is_patch = false;
  };

  absl::Status Load();
  absl::Status Walk();
  absl::Status CheckReferences();

  void CompareRuns();
  void CompareTask(const Task& task);
  void CompareAttempts();
  void CompareAttempt(const Attempt& attempt, std::set<std::string>& agents);
  void CheckRunSteps(const dispatcher::Run& run);
  void CheckNextStep(const dispatcher::Run& run, const Task& task);
  std::string MissingStep(const Task& task) const;
  std::string MissingCause(const Task& task) const;
  void CheckRestart(const events::Event& event);
  void CheckLeaseEnd(const Attempt& attempt);
  void CheckResult(const Attempt& attempt);
  void CheckRetryBudgets(const dispatcher::Run& run, const Task& task);
  bool IsSatisfied(const TaskKey& key) const;
  const GrantRules* RulesAt(int64_t sequence) const;
  const HistoryWalk::AttemptFold* FoldOf(const AttemptKey& key) const;

  sqlite::Reader& reader_;
  bool compacted_ = false;  // The log does not begin with the first event ever.
  AuditReport report_;
  std::map<std::string, dispatcher::Run> runs_;
  std::map<TaskKey, Task> tasks_;
  std::map<AttemptKey, Attempt> attempts_;
  std::map<CheckpointKey, Checkpoint> checkpoints_;
  std::map<AttemptKey, StoredResult> results_;
  std::set<std::string> pauses_;
  std::map<std::string, int> parallel_max_;      // By project.
  std::map<std::string, int64_t> last_amended_;  // By plan: the sequence of the event.
  std::vector<Term> terms_;                      // Oldest first.
  std::optional<HistoryWalk> walk_;
  int64_t last_step_back_ = 0;  // The newest event that is older than the one before it.
};

}  // namespace slipway::dispatcher
