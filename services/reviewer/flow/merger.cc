#include "services/reviewer/flow/merger.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/stored_form.h"
#include "services/reviewer/flow/integrator.h"

namespace slipway::reviewer {
namespace {

metrics::Histogram merge_seconds({.name = "slipway_reviewer_merge_seconds",
                                  .description = "Time to land a candidate.",
                                  .labels = {"outcome"}});

// Whether the branch holds the candidate: it may have moved on since.
absl::StatusOr<bool> Holds(const git::Repository& mirror, const git::Oid& tip,
                           const git::Oid& commit) {
  if (tip == commit) return true;
  return mirror.IsAncestor(commit, tip);
}

}  // namespace

absl::StatusOr<Merged> Merger::Merge(const std::string& candidate_name,
                                     const std::string& approver) {
  const absl::Duration started = workshop_.clock.Elapsed();
  ASSIGN_OR_RETURN(const Candidate candidate, RequireCandidate(workshop_.store, candidate_name));
  ASSIGN_OR_RETURN(std::optional<Merged> merged, workshop_.store.FindMerged(candidate_name));
  if (merged.has_value()) return *std::move(merged);
  ASSIGN_OR_RETURN(const Plan plan, RequirePlan(workshop_.store, candidate.plan));
  // Another candidate of the same change landed.
  ASSIGN_OR_RETURN(merged, candidate.is_integration()
                               ? workshop_.store.FindIntegration(plan.name)
                               : workshop_.store.FindMergedOfAttempt(candidate.attempt));
  if (merged.has_value()) return *std::move(merged);
  RETURN_IF_ERROR(CheckEvidence(plan, candidate));
  if (!candidate.is_integration()) RETURN_IF_ERROR(CheckVerdict(plan, candidate, approver));

  absl::StatusOr<Merged> landed = candidate.is_integration()
                                      ? Integrator(workshop_).Land(plan, candidate, approver)
                                      : LandChange(plan, candidate, approver);
  const std::string reason = base::ReasonOf(landed.status());
  merge_seconds.Observe({landed.ok()      ? "merged"
                         : reason.empty() ? "error"
                                          : reason},
                        workshop_.clock.Elapsed() - started);
  return landed;
}

absl::Status Merger::CheckEvidence(const Plan& plan, const Candidate& candidate) {
  const std::string digest = ValidatorDigest(plan.policy.validators);
  if (digest.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<Evidence> evidence,
                   workshop_.store.FindEvidence(plan.project, candidate.tree, digest));
  if (!evidence.has_value()) return EvidenceMissing(candidate.tree);
  return evidence->passed ? absl::OkStatus() : EvidenceFailed(candidate.tree);
}

absl::Status Merger::CheckVerdict(const Plan& plan, const Candidate& candidate,
                                  const std::string& approver) {
  if (!approver.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<GivenVerdict> verdict,
                   workshop_.store.NewestVerdict(candidate.name));
  const bool passed = verdict.has_value() && verdict->verdict.kind == VerdictKind::kPassed;
  if (!passed || plan.policy.review.human_approval) return VerdictMissing(candidate.name);
  return absl::OkStatus();
}

absl::StatusOr<Merged> Merger::LandChange(const Plan& plan, const Candidate& candidate,
                                          const std::string& approver) {
  ASSIGN_OR_RETURN(const Names names, ParseCandidate(candidate.name));
  ASSIGN_OR_RETURN(git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  const std::string ref = BranchRef(plan.branch);
  ASSIGN_OR_RETURN(const git::Oid base, git::Oid::Parse(candidate.base));
  ASSIGN_OR_RETURN(const git::Oid commit, git::Oid::Parse(candidate.commit));
  ASSIGN_OR_RETURN(const git::Oid tip, mirror.ReadRef(ref));
  if (tip != base) {
    ASSIGN_OR_RETURN(const bool holds, Holds(mirror, tip, commit));
    if (!holds || candidate.method == MergeMethod::kUnchanged) return BranchMoved(plan.branch);
    return MarkChange(plan, candidate, approver);
  }
  if (commit == base) return MarkChange(plan, candidate, approver);
  RETURN_IF_ERROR(workshop_.store.AddIntent({.candidate = candidate.name,
                                             .ref = ref,
                                             .expected = candidate.base,
                                             .target = candidate.commit,
                                             .approver = approver}));
  const absl::Status moved =
      mirror.CompareAndSwap(ref, base, commit, absl::StrCat("slipway: merge ", candidate.attempt));
  if (moved.ok()) return MarkChange(plan, candidate, approver);
  // Lost to another landing, which may have been of this very candidate.
  ASSIGN_OR_RETURN(const git::Oid now, mirror.ReadRef(ref));
  ASSIGN_OR_RETURN(const bool holds, Holds(mirror, now, commit));
  if (holds) return MarkChange(plan, candidate, approver);
  RETURN_IF_ERROR(workshop_.store.AbandonIntent(candidate.name));
  return base::ReasonOf(moved) == "REF_MOVED" ? BranchMoved(plan.branch) : moved;
}

absl::StatusOr<Merged> Merger::MarkChange(const Plan& plan, const Candidate& candidate,
                                          const std::string& approver) {
  return workshop_.store.AddMerged(candidate, {.candidate = candidate.name,
                                               .branch = BranchRef(plan.branch),
                                               .from = candidate.base,
                                               .commit = candidate.commit,
                                               .tree = candidate.tree,
                                               .detail = candidate.method == MergeMethod::kUnchanged
                                                             ? "the branch held the change already"
                                                             : "",
                                               .approver = approver,
                                               .merge_time = workshop_.clock.Now()});
}

absl::Status Merger::Recover() {
  ASSIGN_OR_RETURN(const std::vector<LandIntent> intents, workshop_.store.ListIntents());
  for (const LandIntent& intent : intents) {
    const absl::Status status = RecoverOne(intent);
    if (status.ok()) continue;
    // Whoever asked for the merge asks again and learns why; nothing half-done stays behind.
    log::Warning("a landing was abandoned",
                 {{"candidate", intent.candidate}, {"error", status.ToString()}});
    RETURN_IF_ERROR(workshop_.store.AbandonIntent(intent.candidate));
  }
  return absl::OkStatus();
}

absl::Status Merger::RecoverOne(const LandIntent& intent) {
  ASSIGN_OR_RETURN(const Candidate candidate, RequireCandidate(workshop_.store, intent.candidate));
  ASSIGN_OR_RETURN(const Plan plan, RequirePlan(workshop_.store, candidate.plan));
  // What was checked before the intent was written still holds: evidence and verdicts stay.
  if (candidate.is_integration()) {
    return Integrator(workshop_).Land(plan, candidate, intent.approver).status();
  }
  return LandChange(plan, candidate, intent.approver).status();
}

}  // namespace slipway::reviewer
