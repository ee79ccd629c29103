#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/policy/finding.h"
#include "services/reviewer/domain/policy.h"

namespace slipway::reviewer {

using policy::Finding;

// A plan whose branch is open.
struct Plan {
  std::string name;     // projects/{p}/plans/{n}
  std::string project;  // projects/{p}
  std::string location;
  std::string target_branch;  // "main"
  std::string base_commit;
  std::string branch;  // "plan/2026-11-21-csv-export"
  ProjectPolicy policy;
  absl::Time open_time;
};

// What became of a patch.
struct Inspection {
  std::string attempt;
  std::string task;
  std::string plan;
  int64_t epoch = 0;
  std::string base_commit;
  std::string patch_digest;
  std::string expected_tree;
  std::string title;
  std::string approver;
  bool accepted = false;
  // Why it was refused; for an accepted patch what the approver let through.
  std::vector<Finding> findings;
  bool human_may_accept = false;
  std::string commit;
  std::string tree;
  std::vector<std::string> paths;
  int added = 0;
  int removed = 0;
  absl::Time inspect_time;
};

enum class MergeMethod { kFastPath, kThreeWay, kUnchanged };

// What a merge would give.
struct Candidate {
  std::string name;
  std::string plan;
  std::string task;     // Empty for an integration.
  std::string attempt;  // Empty for an integration.
  std::string source;  // The commit that is merged: the attempt's, or the tip of the plan's branch.
  std::string base;    // The tip that it was built on.
  std::string commit;
  std::string tree;
  MergeMethod method = MergeMethod::kFastPath;
  std::string validator_digest;
  // Neighbours in the merge queue with one group are validated by the last one's tree; empty:
  // alone.
  std::string group;
  absl::Time create_time;

  bool is_integration() const { return attempt.empty(); }
};

struct ValidatorResult {
  std::string validator;
  bool passed = false;
  int exit_code = 0;
  bool timed_out = false;
  absl::Duration run_duration;
  std::string output_tail;
  std::vector<std::string> failures;
  friend bool operator==(const ValidatorResult&, const ValidatorResult&) = default;
};

// What the validators of a digest said about a tree.
struct Evidence {
  std::string project;
  std::string tree;
  std::string validator_digest;
  std::string attempt;
  bool passed = false;
  std::vector<ValidatorResult> results;
  absl::Time record_time;
  // Told in the event and not stored, since it follows from what else is known of the tree.
  bool rerun = false;              // The validators run on it again.
  std::vector<std::string> flaky;  // Validators that both failed and passed on it.
};

enum class VerdictKind { kPassed, kGapsFound, kHumanNeeded };

struct Verdict {
  VerdictKind kind = VerdictKind::kHumanNeeded;
  std::string summary;
  std::vector<std::string> gaps;
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

// A verdict as it was given.
struct GivenVerdict {
  std::string candidate;
  int round = 0;
  std::string roles;          // Joined by ",".
  std::string prompt_digest;  // Equal prompts get the verdict that was given before.
  Verdict verdict;
  absl::Time give_time;
};

// What landed.
struct Merged {
  std::string candidate;
  std::string branch;  // Full ref name.
  std::string from;
  std::string commit;
  std::string tree;
  std::string detail;
  std::string approver;
  absl::Time merge_time;
};

// A candidate that landed.
struct LandedChange {
  Candidate candidate;
  Merged merged;
};

// The promise to move a ref, written before it moves.
struct LandIntent {
  std::string candidate;  // The last that lands.
  // Candidates that land before it by the same move, oldest first.
  std::vector<std::string> ahead;
  std::string ref;
  std::string expected;
  std::string target;
  std::string approver;
};

// A branch that is taken back to an earlier state of its own by a commit with that state's tree.
struct Rollback {
  std::string plan;
  std::string branch;  // Full ref name.
  std::string from;
  std::string target;  // The state that is wanted.
  std::string commit;  // What the branch moves to.
  std::string tree;
  std::string actor;
  std::string reason;
  std::vector<std::string> undone_tasks;    // Newest first.
  std::vector<std::string> restored_tasks;  // Newest first.
  absl::Time rollback_time;
};

// "FAST_PATH", ...
const char* NameOf(MergeMethod method);
// "PASSED", ...
const char* NameOf(VerdictKind kind);

}  // namespace slipway::reviewer
