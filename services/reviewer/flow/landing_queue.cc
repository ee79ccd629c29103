#include "services/reviewer/flow/landing_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/feedback.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/domain/stored_form.h"

namespace slipway::reviewer {
namespace {

metrics::Counter queue_answers({.name = "slipway_reviewer_queue_answers_total",
                                .description = "What the merge queue said about changes.",
                                .labels = {"step"}});
metrics::Counter batches(
    {.name = "slipway_reviewer_queue_batches_total",
     .description = "Groups of changes that were built to be validated as one.",
     .labels = {"changes"}});
metrics::Histogram reconcile_seconds({.name = "slipway_reviewer_queue_seconds",
                                      .description = "Time to decide about a merge queue.",
                                      .labels = {}});

}  // namespace

absl::StatusOr<LandingQueue> LandingQueue::Open(const Workshop& workshop,
                                                const std::string& plan_name,
                                                const std::vector<std::string>& order) {
  ASSIGN_OR_RETURN(Plan plan, RequirePlan(workshop.store, plan_name));
  LandingQueue queue(workshop, std::move(plan));
  queue.digest_ = ValidatorDigest(queue.plan_.policy.validators);
  ASSIGN_OR_RETURN(const Names names, ParsePlan(plan_name));
  ASSIGN_OR_RETURN(const git::Repository mirror, workshop.mirrors.Find(names.project_id));
  // Before what has landed is looked up: a landing meanwhile makes a change vanish from the order,
  // or its candidates lead from a tip that is gone, and the next question finds it right.
  ASSIGN_OR_RETURN(const git::Oid tip, mirror.ReadRef(BranchRef(queue.plan_.branch)));
  queue.tip_ = tip.ToHex();
  ASSIGN_OR_RETURN(const std::vector<bool> outcomes,
                   workshop.store.ListOutcomes(plan_name, kOutcomesMax));
  queue.measure_ = MeasureOf(outcomes, workshop.queue);
  const std::string prefix = absl::StrCat(plan_name, "/tasks/");
  for (const std::string& attempt : order) {
    if (queue.order_.size() >= kQueueMax) break;
    if (!absl::StartsWith(attempt, prefix) || queue.changes_.contains(attempt)) continue;
    ASSIGN_OR_RETURN(std::optional<Inspection> change, workshop.store.FindInspection(attempt));
    if (!change.has_value() || !change->accepted) continue;
    // Whichever of its attempts: a person may have had it done again while it landed.
    ASSIGN_OR_RETURN(const std::optional<Merged> merged,
                     workshop.store.FindMergedOfTask(change->task));
    if (merged.has_value()) continue;
    queue.order_.push_back(attempt);
    queue.changes_.emplace(attempt, *std::move(change));
  }
  return queue;
}

absl::StatusOr<LandingQueue::Answer> LandingQueue::Ask(const Workshop& workshop,
                                                       const std::string& attempt,
                                                       const std::vector<std::string>& order) {
  ASSIGN_OR_RETURN(const Names names, ParseAttempt(attempt));
  RETURN_IF_ERROR(RequirePlan(workshop.store, names.plan()).status());
  ASSIGN_OR_RETURN(std::optional<Merged> merged, workshop.store.FindMergedOfTask(names.task()));
  if (merged.has_value()) return Answer{.outcome = *std::move(merged)};
  std::vector<std::string> whole = order;
  if (std::find(whole.begin(), whole.end(), attempt) == whole.end()) whole.push_back(attempt);

  base::MutexLock lock(workshop.desk->BuildMutex(names.plan()));
  ASSIGN_OR_RETURN(LandingQueue queue, Open(workshop, names.plan(), whole));
  if (!queue.changes_.contains(attempt)) {
    // It landed at this moment, or was never accepted.
    ASSIGN_OR_RETURN(merged, workshop.store.FindMergedOfTask(names.task()));
    if (merged.has_value()) return Answer{.outcome = *std::move(merged)};
    return ChangeUnknown(attempt);
  }
  if (!order.empty()) workshop.desk->ShowOrder(names.plan(), queue.order_);
  ASSIGN_OR_RETURN(const QueuePlan plan, queue.BuildAll());
  const auto place =
      std::find_if(plan.places.begin(), plan.places.end(),
                   [&](const QueuePlace& candidate) { return candidate.change == attempt; });
  queue_answers.Increment({NameOf(place->step)});
  return queue.AnswerFor(*place);
}

absl::StatusOr<QueuePlan> LandingQueue::Read(const std::string& ready) {
  ready_ = ready;
  return PlanQueue(*this, tip_, order_, workshop_.queue, measure_);
}

absl::StatusOr<std::optional<QueueFact>> LandingQueue::Find(const std::string& change,
                                                            const std::string& base) {
  if (workshop_.desk->Conflicts(change, base)) return QueueFact{.conflicts = true};
  const Inspection& inspection = changes_.at(change);
  ASSIGN_OR_RETURN(const std::string name, CandidateBuilder::NameOn(plan_, inspection, base));
  ASSIGN_OR_RETURN(const std::optional<Candidate> candidate, workshop_.store.FindCandidate(name));
  if (!candidate.has_value()) return std::optional<QueueFact>();
  QueueFact fact{.commit = candidate->commit,
                 .group = candidate->group.empty() ? name : candidate->group,
                 .ready = name == ready_};
  ASSIGN_OR_RETURN(fact.proof, ProofOf(inspection, *candidate));
  if (!fact.ready) {
    ASSIGN_OR_RETURN(const std::optional<std::string> approver, workshop_.store.FindReady(name));
    fact.ready = approver.has_value();
  }
  return fact;
}

// What failed before the change was handed in runs again: whoever hands in the same again, or has a
// task done again, wants to know anew.
absl::StatusOr<Proof> LandingQueue::ProofOf(const Inspection& change, const Candidate& candidate) {
  if (digest_.empty()) return Proof::kPassed;
  ASSIGN_OR_RETURN(const std::optional<Evidence> evidence,
                   workshop_.store.FindEvidence(plan_.project, candidate.tree, digest_));
  if (!evidence.has_value()) return Proof::kMissing;
  if (evidence->passed) return Proof::kPassed;
  ASSIGN_OR_RETURN(
      const std::vector<Evidence> failures,
      workshop_.store.ListFailures(plan_.project, candidate.tree, digest_, change.attempt));
  // Until it has failed as often as it may run, it is open.
  const bool spent = static_cast<int>(failures.size()) > workshop_.flaky_reruns_max;
  return spent ? Proof::kFailed : Proof::kMissing;
}

absl::StatusOr<QueuePlan> LandingQueue::BuildAll() {
  const absl::Duration started = workshop_.clock.Elapsed();
  // Each round builds a candidate or finds a conflict; a change has at most one of both on a chain.
  for (size_t round = 0; round <= 2 * order_.size() + 1; ++round) {
    ASSIGN_OR_RETURN(QueuePlan plan, Read());
    std::vector<QueuePlace> places;
    std::copy_if(plan.places.begin(), plan.places.end(), std::back_inserter(places),
                 [](const QueuePlace& place) { return place.step == QueueStep::kBuild; });
    if (places.empty()) {
      reconcile_seconds.Observe({}, workshop_.clock.Elapsed() - started);
      return plan;
    }
    RETURN_IF_ERROR(Build(places));
  }
  return Read();
}

absl::Status LandingQueue::Build(const std::vector<QueuePlace>& places) {
  std::string base = places.front().base;
  int built = 0;
  for (const QueuePlace& place : places) {
    ASSIGN_OR_RETURN(
        const BuildOutcome outcome,
        CandidateBuilder(workshop_).BuildOn(plan_, changes_.at(place.change), base, place.group));
    if (const auto* candidate = std::get_if<Candidate>(&outcome)) {
      base = candidate->commit;
      ++built;
    } else {
      workshop_.desk->AddConflict(place.change, base);
    }
  }
  if (built > 1) batches.Increment({absl::StrCat(built)});
  return absl::OkStatus();
}

absl::StatusOr<LandingQueue::Answer> LandingQueue::AnswerFor(const QueuePlace& place) {
  switch (place.step) {
    case QueueStep::kReject:
      return Reject(place);
    case QueueStep::kConflict:
      return TellConflict(place);
    case QueueStep::kWait:
    case QueueStep::kBuild:
      return Answer{.outcome = QueuedChange{.detail = place.why}};
    case QueueStep::kValidate:
    case QueueStep::kProven:
      break;
  }
  ASSIGN_OR_RETURN(const std::string name,
                   CandidateBuilder::NameOn(plan_, changes_.at(place.change), place.base));
  ASSIGN_OR_RETURN(Candidate candidate, RequireCandidate(workshop_.store, name));
  return Answer{.outcome = std::move(candidate), .proven = place.step == QueueStep::kProven};
}

absl::StatusOr<LandingQueue::Answer> LandingQueue::Reject(const QueuePlace& place) {
  const Inspection& change = changes_.at(place.change);
  ASSIGN_OR_RETURN(const std::string name, CandidateBuilder::NameOn(plan_, change, place.base));
  ASSIGN_OR_RETURN(const Candidate candidate, RequireCandidate(workshop_.store, name));
  ASSIGN_OR_RETURN(
      const std::vector<Evidence> failures,
      workshop_.store.ListFailures(plan_.project, candidate.tree, digest_, change.attempt));
  RETURN_IF_ERROR(workshop_.store.AddRejection(plan_.name, place.change));
  return Answer{.outcome = RejectedChange{.feedback = FeedbackOfRuns(failures)}};
}

absl::StatusOr<LandingQueue::Answer> LandingQueue::TellConflict(const QueuePlace& place) {
  const Inspection& change = changes_.at(place.change);
  ASSIGN_OR_RETURN(BuildOutcome outcome,
                   CandidateBuilder(workshop_).BuildOn(plan_, change, place.base, ""));
  const auto* report = std::get_if<ConflictReport>(&outcome);
  if (report == nullptr) return Answer{.outcome = QueuedChange{.detail = place.why}};
  std::vector<std::string> paths;
  for (const ConflictedPath& path : report->paths) paths.push_back(path.path);
  const Candidate tried{
      .plan = plan_.name, .task = change.task, .attempt = change.attempt, .base = place.base};
  RETURN_IF_ERROR(workshop_.store.AnnounceConflict(tried, paths));
  return Answer{.outcome = std::move(outcome)};
}

}  // namespace slipway::reviewer
