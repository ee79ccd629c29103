#include "services/reviewer/flow/integration_builder.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/git/merge.h"
#include "lib/git/overlay.h"
#include "services/reviewer/domain/commit_message.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/domain/stored_form.h"

namespace slipway::reviewer {
namespace {

// The newest commit of the plan's branch that the target holds. The branch is a line, so there is
// exactly one such commit.
absl::StatusOr<git::Commit> MergeBase(const git::Repository& mirror, const git::Oid& target,
                                      const git::Oid& plan_tip) {
  ASSIGN_OR_RETURN(const std::vector<git::Commit> history,
                   mirror.History(plan_tip, {.limit = kPlanCommitsMax}));
  for (const git::Commit& commit : history) {
    ASSIGN_OR_RETURN(const bool shared, mirror.IsAncestor(commit.oid, target));
    if (shared) return commit;
  }
  return BaseUnknown(target.ToHex());
}

}  // namespace

struct IntegrationBuilder::Job {
  const Plan& plan;
  git::Repository& mirror;
  git::Commit base;
  git::Commit target;
  git::Commit tip;
  git::Overlay overlay;
  Candidate result;
};

absl::StatusOr<BuildOutcome> IntegrationBuilder::Build(const std::string& plan_name) {
  ASSIGN_OR_RETURN(const Names names, ParsePlan(plan_name));
  ASSIGN_OR_RETURN(const Plan plan, RequirePlan(workshop_.store, plan_name));
  ASSIGN_OR_RETURN(std::optional<Merged> merged, workshop_.store.FindIntegration(plan_name));
  if (merged.has_value()) return BuildOutcome(*std::move(merged));
  ASSIGN_OR_RETURN(git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  ASSIGN_OR_RETURN(const git::Oid target_oid, Target(plan, names, mirror));
  ASSIGN_OR_RETURN(const git::Oid tip_oid, mirror.ReadRef(BranchRef(plan.branch)));
  const std::string digest = ValidatorDigest(plan.policy.validators);
  const std::string name = absl::StrCat(
      plan_name, "/candidates/",
      CandidateId(absl::StrCat("integration ", tip_oid.ToHex()), target_oid.ToHex(), digest));
  ASSIGN_OR_RETURN(std::optional<Candidate> earlier, workshop_.store.FindCandidate(name));
  if (earlier.has_value()) return BuildOutcome(*std::move(earlier));

  ASSIGN_OR_RETURN(git::Commit base, MergeBase(mirror, target_oid, tip_oid));
  ASSIGN_OR_RETURN(git::Commit target, RequireCommit(mirror, target_oid.ToHex()));
  ASSIGN_OR_RETURN(git::Commit tip, RequireCommit(mirror, tip_oid.ToHex()));
  Job job{.plan = plan,
          .mirror = mirror,
          .base = std::move(base),
          .target = std::move(target),
          .tip = std::move(tip),
          .overlay = git::Overlay(mirror),
          .result = {.name = name,
                     .plan = plan_name,
                     .source = tip_oid.ToHex(),
                     .base = target_oid.ToHex(),
                     .validator_digest = digest,
                     .create_time = workshop_.clock.Now()}};
  if (job.base.oid == tip_oid) {
    return BuildOutcome(Merged{
        .candidate = "",
        .branch = BranchRef(plan.target_branch),
        .from = target_oid.ToHex(),
        .commit = target_oid.ToHex(),
        .tree = job.target.tree.ToHex(),
        .detail =
            plan.policy.integration == IntegrationMode::kNone
                ? "The plan changed nothing."
                : absl::StrCat(plan.target_branch, " holds everything of the plan already.")});
  }
  return Merge(job);
}

// What stays in the mirror is measured against where the plan began: the target goes on without it,
// and may conflict with it or be gone.
absl::StatusOr<git::Oid> IntegrationBuilder::Target(const Plan& plan, const Names& names,
                                                    git::Repository& mirror) {
  if (plan.policy.integration == IntegrationMode::kNone) return git::Oid::Parse(plan.base_commit);
  base::MutexLock lock(workshop_.mirrors.FetchMutex(names.project_id));
  return workshop_.sources.Fetch(mirror, plan.location, plan.target_branch);
}

absl::StatusOr<BuildOutcome> IntegrationBuilder::Merge(Job& job) {
  if (job.base.oid == job.target.oid) {
    ASSIGN_OR_RETURN(Candidate built, Finish(job, job.tip.tree));
    return BuildOutcome(std::move(built));
  }
  job.result.method = MergeMethod::kThreeWay;
  ASSIGN_OR_RETURN(const git::MergeResult merge,
                   git::MergeTrees(job.overlay, job.base.tree, job.target.tree, job.tip.tree));
  if (merge.clean()) {
    ASSIGN_OR_RETURN(Candidate built, Finish(job, merge.tree));
    return BuildOutcome(std::move(built));
  }
  ConflictReport report = ReportOf(job.target.oid, merge.conflicts);
  std::vector<std::string> paths;
  for (const ConflictedPath& path : report.paths) paths.push_back(path.path);
  RETURN_IF_ERROR(workshop_.store.AnnounceConflict(job.result, paths));
  RETURN_IF_ERROR(workshop_.store.AnnounceIntegration(
      job.result, "CONFLICTED", BranchRef(job.plan.target_branch),
      absl::StrCat(job.plan.target_branch, " changed the same places: ", paths.front(),
                   paths.size() > 1 ? absl::StrCat(" and ", paths.size() - 1, " more") : "")));
  return BuildOutcome(std::move(report));
}

absl::StatusOr<Candidate> IntegrationBuilder::Finish(Job& job, const git::Oid& tree) {
  Candidate& result = job.result;
  result.tree = tree.ToHex();
  CommitText text{
      .subject = job.plan.policy.integration == IntegrationMode::kNone
                     ? absl::StrCat("Conclude ", job.plan.branch)
                     : absl::StrCat("Merge ", job.plan.branch, " into ", job.plan.target_branch),
      .body = "",
      .trailers = {{kPlanTrailer, result.plan}}};
  if (!result.validator_digest.empty()) {
    text.trailers.emplace_back(kValidatorsTrailer,
                               absl::StrCat("sha256:", result.validator_digest));
  }
  ASSIGN_OR_RETURN(
      const git::Oid commit,
      PutCommit(workshop_, job.overlay, tree, {job.target.oid, job.tip.oid}, ComposeMessage(text)));
  result.commit = commit.ToHex();
  ASSIGN_OR_RETURN(const Names names, ParseCandidate(result.name));
  RETURN_IF_ERROR(Publish(job.mirror, job.overlay, CandidateRef(names), commit));
  ASSIGN_OR_RETURN(Candidate stored, workshop_.store.AddCandidate(result));
  RETURN_IF_ERROR(workshop_.store.AnnounceIntegration(stored, "CANDIDATE",
                                                      BranchRef(job.plan.target_branch), ""));
  return stored;
}

}  // namespace slipway::reviewer
