#include "services/reviewer/flow/merger.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/merge_queue.h"
#include "services/reviewer/domain/stored_form.h"
#include "services/reviewer/flow/integrator.h"
#include "services/reviewer/flow/landing_queue.h"

namespace slipway::reviewer {
namespace {

metrics::Histogram merge_seconds({.name = "slipway_reviewer_merge_seconds",
                                  .description = "Time to land a candidate.",
                                  .labels = {"outcome"}});
metrics::Histogram landed_changes({.name = "slipway_reviewer_landed_changes",
                                   .description = "Changes that one move of a branch landed.",
                                   .labels = {}},
                                  {1, 2, 4, 8, 16, 32});

// Whether the branch holds the candidate: it may have moved on since.
absl::StatusOr<bool> Holds(const git::Repository& mirror, const git::Oid& tip,
                           const git::Oid& commit) {
  if (tip == commit) return true;
  return mirror.IsAncestor(commit, tip);
}

}  // namespace

absl::StatusOr<Merged> Merger::Merge(const std::string& candidate_name, const std::string& approver,
                                     const std::vector<std::string>& order) {
  const absl::Duration started = workshop_.clock.Elapsed();
  ASSIGN_OR_RETURN(const Candidate candidate, RequireCandidate(workshop_.store, candidate_name));
  ASSIGN_OR_RETURN(std::optional<Merged> merged, workshop_.store.FindMerged(candidate_name));
  if (merged.has_value()) return *std::move(merged);
  ASSIGN_OR_RETURN(const Plan plan, RequirePlan(workshop_.store, candidate.plan));
  // Another candidate of the same change landed, or another attempt at the task.
  ASSIGN_OR_RETURN(merged, candidate.is_integration()
                               ? workshop_.store.FindIntegration(plan.name)
                               : workshop_.store.FindMergedOfTask(candidate.task));
  if (merged.has_value()) return *std::move(merged);
  if (candidate.is_integration()) RETURN_IF_ERROR(CheckEvidence(plan, candidate));

  absl::StatusOr<Merged> landed = candidate.is_integration()
                                      ? Integrator(workshop_).Land(plan, candidate, approver)
                                      : LandQueued(plan, candidate, approver, order);
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

absl::StatusOr<Merged> Merger::LandQueued(const Plan& plan, const Candidate& candidate,
                                          const std::string& approver,
                                          const std::vector<std::string>& order) {
  ASSIGN_OR_RETURN(const Names names, ParseCandidate(candidate.name));
  ASSIGN_OR_RETURN(const git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  std::vector<std::string> whole = order;
  if (std::find(whole.begin(), whole.end(), candidate.attempt) == whole.end()) {
    whole.push_back(candidate.attempt);
  }
  ASSIGN_OR_RETURN(LandingQueue queue, LandingQueue::Open(workshop_, plan.name, whole));
  if (!order.empty()) workshop_.desk->ShowOrder(plan.name, whole);
  ASSIGN_OR_RETURN(const QueuePlan decided, queue.Read(candidate.name));
  const auto place =
      std::find_if(decided.places.begin(), decided.places.end(), [&](const QueuePlace& other) {
        return other.change == candidate.attempt && other.commit == candidate.commit;
      });
  const bool has_place = place != decided.places.end() && place->base == candidate.base;
  const bool proven = has_place && place->step == QueueStep::kProven;
  if (!proven) RETURN_IF_ERROR(CheckEvidence(plan, candidate));
  RETURN_IF_ERROR(CheckVerdict(plan, candidate, approver));
  // Marked late, or landed under another tip than the queue was read with.
  const std::vector<Approved> alone = {{.candidate = candidate, .approver = approver}};
  if (!proven) {
    ASSIGN_OR_RETURN(const git::Oid commit, git::Oid::Parse(candidate.commit));
    ASSIGN_OR_RETURN(const git::Oid tip, mirror.ReadRef(BranchRef(plan.branch)));
    ASSIGN_OR_RETURN(const bool holds, Holds(mirror, tip, commit));
    if (!holds || candidate.method == MergeMethod::kUnchanged) return BranchMoved(plan.branch);
    RETURN_IF_ERROR(Mark(plan, alone));
  } else if (static_cast<size_t>(place - decided.places.begin()) >= decided.landing) {
    RETURN_IF_ERROR(workshop_.store.AddReady(candidate.name, approver));
    return QueueWaiting(candidate.attempt,
                        "changes ahead of it, or of its batch, have yet to land");
  } else {
    ASSIGN_OR_RETURN(std::vector<Approved> chain, ChainOf(plan, decided));
    for (Approved& landing : chain) {
      if (landing.candidate.name == candidate.name) landing.approver = approver;
    }
    RETURN_IF_ERROR(Land(plan, chain));
  }
  ASSIGN_OR_RETURN(std::optional<Merged> merged, workshop_.store.FindMerged(candidate.name));
  if (!merged.has_value()) return BranchMoved(plan.branch);
  return *std::move(merged);
}

// What lands now, oldest first.
absl::StatusOr<std::vector<Merger::Approved>> Merger::ChainOf(const Plan& plan,
                                                              const QueuePlan& queue) {
  std::vector<Approved> chain;
  for (size_t i = 0; i < queue.landing; ++i) {
    const QueuePlace& place = queue.places[i];
    if (!place.on_chain) continue;
    ASSIGN_OR_RETURN(const std::optional<Inspection> change,
                     workshop_.store.FindInspection(place.change));
    if (!change.has_value()) return ChangeUnknown(place.change);
    ASSIGN_OR_RETURN(const std::string name, CandidateBuilder::NameOn(plan, *change, place.base));
    ASSIGN_OR_RETURN(Candidate candidate, RequireCandidate(workshop_.store, name));
    ASSIGN_OR_RETURN(const std::optional<std::string> approver, workshop_.store.FindReady(name));
    chain.push_back({.candidate = std::move(candidate), .approver = approver.value_or("")});
  }
  return chain;
}

// Moves the branch from the base of the first to the commit of the last.
absl::Status Merger::Land(const Plan& plan, const std::vector<Approved>& chain) {
  const Candidate& last = chain.back().candidate;
  ASSIGN_OR_RETURN(const Names names, ParseCandidate(last.name));
  ASSIGN_OR_RETURN(git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  const std::string ref = BranchRef(plan.branch);
  ASSIGN_OR_RETURN(const git::Oid base, git::Oid::Parse(chain.front().candidate.base));
  ASSIGN_OR_RETURN(const git::Oid commit, git::Oid::Parse(last.commit));
  ASSIGN_OR_RETURN(const git::Oid tip, mirror.ReadRef(ref));
  if (tip != base) {
    ASSIGN_OR_RETURN(const bool holds, Holds(mirror, tip, commit));
    if (!holds || last.method == MergeMethod::kUnchanged) return BranchMoved(plan.branch);
    return Mark(plan, chain);
  }
  if (commit == base) return Mark(plan, chain);
  LandIntent intent{.candidate = last.name,
                    .ref = ref,
                    .expected = base.ToHex(),
                    .target = last.commit,
                    .approver = chain.back().approver};
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    intent.ahead.push_back(chain[i].candidate.name);
  }
  RETURN_IF_ERROR(workshop_.store.AddIntent(intent));
  const absl::Status moved = mirror.CompareAndSwap(
      ref, base, commit,
      absl::StrCat("slipway: merge ", last.attempt,
                   chain.size() > 1 ? absl::StrCat(" and ", chain.size() - 1, " ahead") : ""));
  if (moved.ok()) return Mark(plan, chain);
  // Lost to another landing, which may have been of this very candidate.
  ASSIGN_OR_RETURN(const git::Oid now, mirror.ReadRef(ref));
  ASSIGN_OR_RETURN(const bool holds, Holds(mirror, now, commit));
  if (holds) return Mark(plan, chain);
  RETURN_IF_ERROR(workshop_.store.AbandonIntent(last.name));
  return base::ReasonOf(moved) == "REF_MOVED" ? BranchMoved(plan.branch) : moved;
}

absl::Status Merger::Mark(const Plan& plan, const std::vector<Approved>& chain) {
  std::vector<LandedChange> landed;
  for (const Approved& each : chain) {
    const Candidate& candidate = each.candidate;
    landed.push_back({.candidate = candidate,
                      .merged = {.candidate = candidate.name,
                                 .branch = BranchRef(plan.branch),
                                 .from = candidate.base,
                                 .commit = candidate.commit,
                                 .tree = candidate.tree,
                                 .detail = candidate.method == MergeMethod::kUnchanged
                                               ? "the branch held the change already"
                                               : "",
                                 .approver = each.approver,
                                 .merge_time = workshop_.clock.Now()}});
  }
  // Before the intent ends: what a crash leaves of them, whoever ends the intent finds.
  Prune(plan, chain);
  RETURN_IF_ERROR(workshop_.store.AddLandings(landed));
  landed_changes.Observe({}, static_cast<double>(chain.size()));
  return absl::OkStatus();
}

// The branch keeps what landed, and nobody asks for other candidates of these tasks any more. A ref
// that stays behind keeps objects, nothing else.
void Merger::Prune(const Plan& plan, const std::vector<Approved>& chain) {
  for (const Approved& each : chain) {
    const absl::Status pruned = PruneCandidates(workshop_, plan.name, each.candidate.task);
    if (!pruned.ok()) {
      log::Warning("refs of candidates stay behind",
                   {{"task", each.candidate.task}, {"error", pruned.ToString()}});
    }
  }
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
  ASSIGN_OR_RETURN(Candidate candidate, RequireCandidate(workshop_.store, intent.candidate));
  ASSIGN_OR_RETURN(const Plan plan, RequirePlan(workshop_.store, candidate.plan));
  // What was checked before the intent was written still holds: evidence and verdicts stay.
  if (candidate.is_integration()) {
    return Integrator(workshop_).Land(plan, candidate, intent.approver).status();
  }
  std::vector<Approved> chain;
  for (const std::string& name : intent.ahead) {
    ASSIGN_OR_RETURN(Candidate ahead, RequireCandidate(workshop_.store, name));
    ASSIGN_OR_RETURN(const std::optional<std::string> approver, workshop_.store.FindReady(name));
    chain.push_back({.candidate = std::move(ahead), .approver = approver.value_or("")});
  }
  chain.push_back({.candidate = std::move(candidate), .approver = intent.approver});
  return Land(plan, chain);
}

}  // namespace slipway::reviewer
