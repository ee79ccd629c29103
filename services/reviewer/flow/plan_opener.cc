#include "services/reviewer/flow/plan_opener.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status_macros.h"
#include "lib/policy/glob.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {
namespace {

absl::Status CheckPatterns(absl::string_view field, const std::vector<std::string>& patterns) {
  if (patterns.size() > kPathPatternsMax) return PolicyInvalid(field, "has too many patterns");
  for (const std::string& pattern : patterns) {
    const std::string problem = policy::GlobProblem(pattern);
    if (!problem.empty()) {
      return PolicyInvalid(field, absl::StrCat("has a pattern that ", problem));
    }
  }
  return absl::OkStatus();
}

bool SamePlace(const Plan& a, const Plan& b) {
  return a.location == b.location && a.target_branch == b.target_branch && a.branch == b.branch;
}

bool SameSettings(const Plan& a, const Plan& b) { return SamePlace(a, b) && a.policy == b.policy; }

}  // namespace

absl::Status PlanOpener::CheckPolicy(const ProjectPolicy& policy) const {
  RETURN_IF_ERROR(CheckPatterns("paths.allowed", policy.paths.allowed));
  RETURN_IF_ERROR(CheckPatterns("paths.forbidden", policy.paths.forbidden));
  RETURN_IF_ERROR(CheckPatterns("paths.unprotected", policy.paths.unprotected));
  RETURN_IF_ERROR(CheckPatterns("paths.binary_paths", policy.paths.binary_paths));
  if (policy.validators.size() > kValidatorsMax) {
    return PolicyInvalid("validators", "are too many");
  }
  if (policy.review.council_roles.size() > kCouncilRolesMax) {
    return PolicyInvalid("review.council_roles", "are too many");
  }
  const std::vector<std::string>& programs = workshop_.validator_programs;
  const bool every = std::find(programs.begin(), programs.end(), "*") != programs.end();
  for (const Validator& validator : policy.validators) {
    if (validator.name.empty() || validator.command.empty()) {
      return PolicyInvalid("validators", "need a name and a command each");
    }
    const std::string& program = validator.command.front();
    if (!every && std::find(programs.begin(), programs.end(), program) == programs.end()) {
      return ValidatorNotAllowed(validator.name, program, absl::StrJoin(programs, ", "));
    }
  }
  return absl::OkStatus();
}

// A plan is opened when it is drafted, and again when it starts: what the project decided meanwhile
// counts as long as nothing was judged by what it decided before.
absl::StatusOr<Plan> PlanOpener::Reopen(const Plan& earlier, const Plan& wanted) {
  const bool same_base = wanted.base_commit.empty() || wanted.base_commit == earlier.base_commit;
  if (!same_base || !SamePlace(earlier, wanted)) return PlanOpen(wanted.name);
  if (earlier.policy == wanted.policy) return earlier;
  ASSIGN_OR_RETURN(const Names names, ParsePlan(wanted.name));
  ASSIGN_OR_RETURN(const git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  ASSIGN_OR_RETURN(const git::Oid tip, mirror.ReadRef(BranchRef(earlier.branch)));
  if (tip.ToHex() != earlier.base_commit) return PlanOpen(wanted.name);
  ASSIGN_OR_RETURN(Plan stored, workshop_.store.ReplacePolicy(wanted.name, wanted.policy));
  if (!SameSettings(stored, wanted)) return PlanOpen(wanted.name);
  return stored;
}

absl::StatusOr<Plan> PlanOpener::Open(Plan wanted) {
  ASSIGN_OR_RETURN(const Names names, ParsePlan(wanted.name));
  RETURN_IF_ERROR(CheckPlanBranch(wanted.branch));
  RETURN_IF_ERROR(CheckPolicy(wanted.policy));
  wanted.project = names.project();
  ASSIGN_OR_RETURN(const std::optional<Plan> earlier, workshop_.store.FindPlan(wanted.name));
  if (earlier.has_value()) {
    return Reopen(*earlier, wanted);
  }
  // Also what makes the mirror of a project: no mirror without a repository to mirror.
  RETURN_IF_ERROR(workshop_.sources.Look(wanted.location, wanted.target_branch).status());
  ASSIGN_OR_RETURN(git::Repository mirror, workshop_.mirrors.FindOrMake(names.project_id));
  git::Oid base;
  {
    base::MutexLock lock(workshop_.mirrors.FetchMutex(names.project_id));
    ASSIGN_OR_RETURN(base, workshop_.sources.Fetch(mirror, wanted.location, wanted.target_branch));
  }
  if (!wanted.base_commit.empty()) {
    ASSIGN_OR_RETURN(const git::Commit commit, RequireCommit(mirror, wanted.base_commit));
    ASSIGN_OR_RETURN(const bool in_target, mirror.IsAncestor(commit.oid, base));
    if (!in_target) return CommitUnknown(wanted.base_commit);
    base = commit.oid;
  }
  const std::string ref = BranchRef(wanted.branch);
  ASSIGN_OR_RETURN(const std::optional<git::Oid> current, mirror.FindRef(ref));
  // A branch without a stored plan is what a crash left, unless another plan goes by its name.
  if (current != base) {
    RETURN_IF_ERROR(mirror.CompareAndSwap(ref, current, base, "slipway: open plan"));
  }
  wanted.base_commit = base.ToHex();
  wanted.open_time = workshop_.clock.Now();
  ASSIGN_OR_RETURN(Plan stored, workshop_.store.AddPlan(wanted));
  if (!SameSettings(stored, wanted)) return PlanOpen(wanted.name);
  return stored;
}

}  // namespace slipway::reviewer
