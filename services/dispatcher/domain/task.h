#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/dispatcher/domain/keys.h"
#include "services/dispatcher/domain/policy.h"
#include "services/dispatcher/domain/states.h"

namespace slipway::dispatcher {

// The task that integrates a plan; no task of a plan may have this id.
inline constexpr char kIntegrationId[] = "integration";

// What a task is, as the plan says. Fixed for the run, except that a person may edit `description`.
struct TaskSpec {
  std::string id;
  std::string title;
  std::string description;
  std::vector<std::string> depends_on;
  std::string intent;
  std::string role;
  std::vector<std::string> allowed_paths;
  std::vector<std::string> context_paths;
  std::vector<std::string> acceptance;
  int priority = 0;
  bool critical = false;
  int64_t limit_usd_nanos = 0;
  absl::Duration attempt_timeout = absl::ZeroDuration();
  absl::Duration estimate = absl::ZeroDuration();
  int complexity = 0;  // 1: one small change, to 3: subtle; 0: not said.

  friend bool operator==(const TaskSpec&, const TaskSpec&) = default;
};

// What a merge of a task's change would give.
struct Candidate {
  std::string name;
  std::string commit;
  std::string tree;
  std::string validator_digest;
  std::vector<Validator> validators;
  bool evidence_passed = false;

  friend bool operator==(const Candidate&, const Candidate&) = default;
};

// How far a task has come besides its state: what its next step needs.
struct Progress {
  std::map<std::string, int> retries;  // By class, of the current budget.
  std::vector<std::string> feedback;   // Of every attempt, oldest first.
  std::string guidance;                // What a person said last.
  int64_t work_epoch = 0;              // The attempt whose change is under review; 0: none.
  bool inspected = false;              // The patch of work_epoch was accepted.
  int64_t queue_number = 0;            // Its turn in the plan's merge queue; 0: not in it.
  bool landing = false;  // Its change may land before more is heard of it: as in MERGING.
  std::optional<Candidate> candidate;
  int judge_round = 0;
  std::string patch_approver;               // Who let a quarantined patch through.
  std::string approver;                     // Who let the change through in place of a verdict.
  TaskState paused_in = TaskState::kReady;  // Where a paused task goes on.
  int step_failures = 0;                    // Of the present step, in a row.
  int64_t checkpoints = 0;                  // How many were opened.
  std::string last_host;                    // Of the newest attempt.
  std::string fingerprint;                  // Of the last failure that was the attempt's own.
  int same_failures = 0;                    // How often in a row it was that.
  std::vector<std::string> deaths;          // Hosts on which its agents died of it, in a row.

  friend bool operator==(const Progress&, const Progress&) = default;
};

// A task as it is carried out.
struct Task {
  TaskKey key;
  int position = 0;  // In the plan.
  TaskSpec spec;
  TaskState state = TaskState::kBlocked;
  int64_t epoch = 0;
  std::string reason;
  std::string detail;
  std::optional<absl::Time> resume_time;
  std::optional<absl::Time> ready_time;  // First.
  std::optional<absl::Time> end_time;
  std::string merged_commit;
  int64_t open_checkpoint = 0;  // 0: none.
  Progress progress;
  std::string failure;  // Fingerprint of what moves it now, for its next event; not stored.
  // The commit since which the database says that work is what comes next (BLOCKED, READY); at 0
  // it has always said so, or nothing. Not stored.
  int64_t work_next_commit = 0;

  bool is_integration() const { return key.id == kIntegrationId; }
  // Whether its change is taken from its patch to the branch in one call.
  bool lands_at_once() const {
    return state == TaskState::kInspecting && progress.landing && !progress.inspected;
  }
  AttemptKey attempt() const { return {.task = key, .epoch = epoch}; }
};

}  // namespace slipway::dispatcher
