#include "services/reviewer/flow/integrator.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "services/reviewer/domain/errors.h"

namespace slipway::reviewer {
namespace {

// A path as one word of a shell.
std::string Quoted(const std::string& path) {
  return absl::StrCat("'", absl::StrReplaceAll(path, {{"'", "'\\''"}}), "'");
}

}  // namespace

struct Integrator::Job {
  const Plan& plan;
  const Names names;
  git::Repository& mirror;
  git::Oid target;  // What the candidate was built on.
  git::Oid commit;
};

absl::StatusOr<Merged> Integrator::Land(const Plan& plan, const Candidate& candidate,
                                        const std::string& approver) {
  ASSIGN_OR_RETURN(const Names names, ParseCandidate(candidate.name));
  ASSIGN_OR_RETURN(git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  ASSIGN_OR_RETURN(const git::Oid target, git::Oid::Parse(candidate.base));
  ASSIGN_OR_RETURN(const git::Oid commit, git::Oid::Parse(candidate.commit));
  ASSIGN_OR_RETURN(const git::Oid plan_tip, mirror.ReadRef(BranchRef(plan.branch)));
  if (plan_tip.ToHex() != candidate.source) return BranchMoved(plan.branch);
  Job job{.plan = plan, .names = names, .mirror = mirror, .target = target, .commit = commit};
  bool landed = false;
  RETURN_IF_ERROR(CheckUnmoved(job, landed));
  RETURN_IF_ERROR(workshop_.store.AddIntent({.candidate = candidate.name,
                                             .ref = BranchRef(plan.target_branch),
                                             .expected = candidate.base,
                                             .target = candidate.commit,
                                             .approver = approver}));
  absl::StatusOr<Landing> landing =
      landed ? Landing{"MERGED", BranchRef(plan.target_branch),
                       absl::StrCat(plan.target_branch, " holds the plan.")}
      : plan.policy.integration == IntegrationMode::kNone  ? Keep(job)
      : plan.policy.integration == IntegrationMode::kMerge ? MoveTarget(job)
                                                           : PushBranches(job);
  if (!landing.ok()) {
    // A branch that moved is the caller's cue for a new candidate, not the end.
    if (base::ReasonOf(landing.status()) != "BRANCH_MOVED") {
      RETURN_IF_ERROR(workshop_.store.AnnounceIntegration(candidate, "FAILED",
                                                          BranchRef(plan.target_branch),
                                                          std::string(landing.status().message())));
    }
    RETURN_IF_ERROR(workshop_.store.AbandonIntent(candidate.name));
    return landing.status();
  }
  ASSIGN_OR_RETURN(Merged merged,
                   workshop_.store.AddMerged(candidate, {.candidate = candidate.name,
                                                         .branch = landing->branch,
                                                         .from = candidate.base,
                                                         .commit = candidate.commit,
                                                         .tree = candidate.tree,
                                                         .detail = landing->detail,
                                                         .approver = approver,
                                                         .merge_time = workshop_.clock.Now()}));
  RETURN_IF_ERROR(workshop_.store.AnnounceIntegration(candidate, landing->state, landing->branch,
                                                      landing->detail));
  const absl::Status pruned = PruneCandidates(workshop_, plan.name, "");
  // They keep objects, nothing else.
  if (!pruned.ok()) log::Warning("refs of candidates stay behind", {{"error", pruned.ToString()}});
  return merged;
}

// The target must be where the candidate was built; or it holds the candidate, because a landing
// before this one was cut off after its push, or because a person merged the pushed branch.
absl::Status Integrator::CheckUnmoved(Job& job, bool& landed) {
  // Nothing goes to the target, wherever it is.
  if (job.plan.policy.integration == IntegrationMode::kNone) return absl::OkStatus();
  base::MutexLock lock(workshop_.mirrors.FetchMutex(job.names.project_id));
  ASSIGN_OR_RETURN(const git::Oid now,
                   workshop_.sources.Fetch(job.mirror, job.plan.location, job.plan.target_branch));
  if (now == job.target) return absl::OkStatus();
  ASSIGN_OR_RETURN(landed, job.mirror.IsAncestor(job.commit, now));
  if (landed) return absl::OkStatus();
  // The branches may be out already; then what a person merges is what was validated.
  ASSIGN_OR_RETURN(
      const std::optional<git::Oid> pushed,
      workshop_.sources.FindBranch(job.plan.location, IntegrationBranch(job.names.plan_id)));
  return pushed == job.commit ? absl::OkStatus() : BranchMoved(job.plan.target_branch);
}

absl::StatusOr<Integrator::Landing> Integrator::Keep(Job& job) {
  const std::string ref = BranchRef(IntegrationBranch(job.names.plan_id));
  ASSIGN_OR_RETURN(const std::optional<git::Oid> current, job.mirror.FindRef(ref));
  if (current != job.commit) {
    RETURN_IF_ERROR(job.mirror.CompareAndSwap(ref, current, job.commit, "slipway: integrate plan"));
  }
  return Landing{"MERGED", ref,
                 absl::StrCat("The result is branch ", IntegrationBranch(job.names.plan_id),
                              " of the project's mirror; nothing was pushed.")};
}

absl::StatusOr<Integrator::Landing> Integrator::PushBranches(Job& job) {
  const std::string branch = IntegrationBranch(job.names.plan_id);
  ASSIGN_OR_RETURN(const git::Oid plan_tip, job.mirror.ReadRef(BranchRef(job.plan.branch)));
  const std::string& location = job.plan.location;
  RETURN_IF_ERROR(workshop_.sources.PushBranch(job.mirror, location, job.plan.branch, plan_tip));
  RETURN_IF_ERROR(workshop_.sources.PushBranch(job.mirror, location, branch, job.commit));
  ASSIGN_OR_RETURN(const std::optional<std::string> work_tree,
                   workshop_.sources.FindWorkTree(location, job.plan.target_branch));
  // Where the target is checked out, one command moves it and its files together.
  const std::string command =
      Sources::IsRemote(location) ? absl::StrCat("git fetch origin && git push origin origin/",
                                                 branch, ":", job.plan.target_branch)
      : work_tree.has_value()
          ? absl::StrCat("git -C ", Quoted(*work_tree), " merge --ff-only ", branch)
          : absl::StrCat("git -C ", Quoted(location), " fetch . ", branch, ":",
                         job.plan.target_branch);
  return Landing{"PUSHED", BranchRef(branch),
                 absl::StrCat("Pushed ", job.plan.branch, " and ", branch, ", validated with ",
                              job.plan.target_branch, ". To finish: ", command)};
}

absl::StatusOr<Integrator::Landing> Integrator::MoveTarget(Job& job) {
  const std::string& location = job.plan.location;
  ASSIGN_OR_RETURN(const std::optional<std::string> work_tree,
                   workshop_.sources.FindWorkTree(location, job.plan.target_branch));
  // Moving a branch under a person's work tree would make all of its files look changed.
  if (work_tree.has_value()) return PushBranches(job);
  RETURN_IF_ERROR(workshop_.sources.MoveBranch(job.mirror, location, job.plan.target_branch,
                                               job.target, job.commit));
  return Landing{"MERGED", BranchRef(job.plan.target_branch),
                 absl::StrCat("Merged ", job.plan.branch, " into ", job.plan.target_branch, ".")};
}

}  // namespace slipway::reviewer
