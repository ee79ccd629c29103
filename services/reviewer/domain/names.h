#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::reviewer {

// The ids in a resource name; those that its kind lacks are empty.
struct Names {
  std::string project_id;
  std::string plan_id;
  std::string task_id;
  std::string attempt_id;
  std::string candidate_id;
  std::string checkpoint_id;

  std::string project() const;
  std::string plan() const;
  std::string task() const;
};

// Each fails with NAME_INVALID.
absl::StatusOr<Names> ParseProject(absl::string_view name);
absl::StatusOr<Names> ParsePlan(absl::string_view name);
absl::StatusOr<Names> ParseTask(absl::string_view name);
absl::StatusOr<Names> ParseAttempt(absl::string_view name);
absl::StatusOr<Names> ParseCandidate(absl::string_view name);
// checkpoint_id as well.
absl::StatusOr<Names> ParseCheckpoint(absl::string_view name);

// The attempt whose id is its epoch.
absl::StatusOr<Names> ParseAttempt(absl::string_view name, int64_t epoch);

// The id of the candidate that merges `source` onto `base` under a policy: the same for the same.
std::string CandidateId(absl::string_view source, absl::string_view base,
                        absl::string_view policy_digest);

// Full names of the refs that the reviewer owns. Ids cannot clash with each other or the file
// system: they are lower case and the depth of each kind is fixed.
std::string AgentRef(const Names& attempt);
std::string CandidateRef(const Names& candidate);
std::string CandidateRefsOf(const Names& plan);  // What those of a plan begin with.
std::string BranchRef(absl::string_view branch);
std::string SourceRef(absl::string_view branch);  // The last fetched state of a source's branch.
std::string IntegrationBranch(absl::string_view plan_id);

// OK for "plan/" and one id, else BRANCH_INVALID: nothing else is a plan's branch.
absl::Status CheckPlanBranch(absl::string_view branch);

}  // namespace slipway::reviewer
