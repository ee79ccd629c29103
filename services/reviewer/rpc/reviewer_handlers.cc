#include "services/reviewer/rpc/reviewer_handlers.h"

#include <optional>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/rpc/failure.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/domain/stored_form.h"
#include "services/reviewer/flow/diagnostician.h"
#include "services/reviewer/flow/integration_builder.h"
#include "services/reviewer/flow/landing_queue.h"
#include "services/reviewer/flow/merger.h"
#include "services/reviewer/flow/rewinder.h"

namespace slipway::reviewer {

absl::StatusOr<v1::InspectResponse> ReviewerHandlers::Inspect(const rpc::Call&,
                                                              const v1::InspectRequest& request) {
  ASSIGN_OR_RETURN(const Inspection inspection,
                   Inspector(workshop_).Inspect(InspectionFromProto(request)));
  return InspectionToProto(inspection);
}

absl::StatusOr<v1::CreateCandidateResponse> ReviewerHandlers::CreateCandidate(
    const rpc::Call&, const v1::CreateCandidateRequest& request) {
  LandingQueue::Answer answer;
  if (request.has_plan()) {
    ASSIGN_OR_RETURN(answer.outcome, IntegrationBuilder(workshop_).Build(request.plan()));
  } else {
    // An unset change is an attempt without a name.
    ASSIGN_OR_RETURN(answer, LandingQueue::Ask(workshop_, request.attempt(),
                                               {request.queue().begin(), request.queue().end()}));
  }
  const BuildOutcome& outcome = answer.outcome;
  v1::CreateCandidateResponse response;
  if (const auto* merged = std::get_if<Merged>(&outcome)) {
    ASSIGN_OR_RETURN(*response.mutable_merged(), WithTip(*merged, request.attempt()));
  } else if (const auto* queued = std::get_if<QueuedChange>(&outcome)) {
    response.mutable_queued()->set_detail(queued->detail);
  } else if (const auto* rejected = std::get_if<RejectedChange>(&outcome)) {
    response.mutable_rejected()->set_feedback(rejected->feedback);
  } else if (const auto* conflict = std::get_if<ConflictReport>(&outcome)) {
    *response.mutable_conflict() = ConflictToProto(*conflict);
  } else {
    ASSIGN_OR_RETURN(CandidateState state, StateOf(std::get<Candidate>(outcome)));
    if (answer.proven && !state.validators.empty()) {
      state.evidence_passed = true;
      state.validators.clear();
    }
    *response.mutable_candidate() = CandidateToProto(state);
  }
  return response;
}

// Validators that failed on the tree run again: a person may have asked for it.
absl::StatusOr<CandidateState> ReviewerHandlers::StateOf(const Candidate& candidate) {
  ASSIGN_OR_RETURN(Plan plan, RequirePlan(workshop_.store, candidate.plan));
  CandidateState state{.candidate = candidate};
  if (plan.policy.validators.empty()) return state;
  ASSIGN_OR_RETURN(const std::optional<Evidence> evidence,
                   workshop_.store.FindEvidence(plan.project, candidate.tree,
                                                ValidatorDigest(plan.policy.validators)));
  state.evidence_passed = evidence.has_value() && evidence->passed;
  if (!state.evidence_passed) state.validators = std::move(plan.policy.validators);
  return state;
}

absl::StatusOr<v1::RecordEvidenceResponse> ReviewerHandlers::RecordEvidence(
    const rpc::Call&, const v1::RecordEvidenceRequest& request) {
  ASSIGN_OR_RETURN(const RecordedEvidence recorded,
                   EvidenceRecorder(workshop_).Record(EvidenceFromProto(request)));
  v1::RecordEvidenceResponse response;
  response.set_passed(recorded.passed);
  response.set_feedback(recorded.feedback);
  response.set_rerun(recorded.rerun);
  response.set_unresolved(recorded.unresolved);
  response.mutable_flaky_validators()->Assign(recorded.flaky.begin(), recorded.flaky.end());
  return response;
}

absl::StatusOr<v1::JudgeResponse> ReviewerHandlers::Judge(const rpc::Call&,
                                                          const v1::JudgeRequest& request) {
  reviewer::Judge judge(workshop_, models_);
  ASSIGN_OR_RETURN(const Verdict verdict, judge.Decide(JudgeFromProto(request)));
  return VerdictToProto(verdict);
}

absl::StatusOr<v1::DiagnoseResponse> ReviewerHandlers::Diagnose(
    const rpc::Call&, const v1::DiagnoseRequest& request) {
  ASSIGN_OR_RETURN(const Diagnosis diagnosis,
                   Diagnostician(workshop_, models_)
                       .Diagnose(request.checkpoint(), FailedTaskFromProto(request)));
  return DiagnosisToProto(diagnosis);
}

absl::StatusOr<v1::MergeResponse> ReviewerHandlers::Merge(const rpc::Call&,
                                                          const v1::MergeRequest& request) {
  ASSIGN_OR_RETURN(const Merged merged,
                   Merger(workshop_).Merge(request.candidate(), request.approver(),
                                           {request.queue().begin(), request.queue().end()}));
  ASSIGN_OR_RETURN(const Candidate candidate,
                   RequireCandidate(workshop_.store, request.candidate()));
  v1::MergeResponse response;
  ASSIGN_OR_RETURN(*response.mutable_merged(), WithTip(merged, candidate.attempt));
  return response;
}

absl::StatusOr<v1::ReviewChangesResponse> ReviewerHandlers::ReviewChanges(
    const rpc::Call& call, const v1::ReviewChangesRequest& request) {
  if (request.changes_size() > kReviewedTogetherMax) {
    return BatchTooLarge(request.changes_size(), kReviewedTogetherMax);
  }
  v1::ReviewChangesResponse response;
  for (const v1::ReviewChangesRequest::Change& change : request.changes()) {
    v1::ReviewChangesResponse::Outcome& outcome = *response.add_outcomes();
    const absl::Status status = Review(call, change, outcome);
    if (!status.ok()) rpc::ToFailure(status, *outcome.mutable_error());
  }
  return response;
}

absl::Status ReviewerHandlers::Review(const rpc::Call& call,
                                      const v1::ReviewChangesRequest::Change& change,
                                      v1::ReviewChangesResponse::Outcome& outcome) {
  ASSIGN_OR_RETURN(*outcome.mutable_inspection(), Inspect(call, change.inspection()));
  if (!outcome.inspection().has_accepted()) return absl::OkStatus();
  v1::CreateCandidateRequest build;
  build.set_attempt(change.inspection().attempt());
  ASSIGN_OR_RETURN(v1::CreateCandidateResponse built, CreateCandidate(call, build));
  *outcome.mutable_candidate() = std::move(built);
  const v1::Candidate& candidate = outcome.candidate().candidate();
  if (!outcome.candidate().has_candidate() || candidate.validators_size() > 0) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const Names names, ParseAttempt(change.inspection().attempt()));
  ASSIGN_OR_RETURN(const Plan plan, RequirePlan(workshop_.store, names.plan()));
  if (!CriticsOf(plan.policy.review, change.critical()).empty()) return absl::OkStatus();
  v1::JudgeRequest judge;
  judge.set_candidate(candidate.name());
  judge.set_title(change.inspection().title());
  judge.set_description(change.description());
  *judge.mutable_acceptance() = change.acceptance();
  judge.set_critical(change.critical());
  judge.set_round(change.round());
  ASSIGN_OR_RETURN(v1::JudgeResponse judgement, Judge(call, judge));
  *outcome.mutable_judgement() = std::move(judgement);
  if (outcome.judgement().verdict() != v1::VERDICT_PASSED || plan.policy.review.human_approval) {
    return absl::OkStatus();
  }
  v1::MergeRequest merge;
  merge.set_candidate(candidate.name());
  ASSIGN_OR_RETURN(v1::MergeResponse merged, Merge(call, merge));
  *outcome.mutable_merge() = std::move(merged);
  return absl::OkStatus();
}

// Other changes may have landed with it, or after it. `attempt` is empty for an integration.
absl::StatusOr<v1::Merged> ReviewerHandlers::WithTip(const Merged& merged,
                                                     const std::string& attempt) {
  v1::Merged message = MergedToProto(merged);
  if (attempt.empty()) return message;
  ASSIGN_OR_RETURN(const Names names, ParseAttempt(attempt));
  ASSIGN_OR_RETURN(const git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  ASSIGN_OR_RETURN(const git::Oid tip, mirror.ReadRef(merged.branch));
  message.set_tip(tip.ToHex());
  return message;
}

absl::StatusOr<v1::GetQueueResponse> ReviewerHandlers::GetQueue(
    const rpc::Call&, const v1::GetQueueRequest& request) {
  RETURN_IF_ERROR(ParsePlan(request.plan()).status());
  ASSIGN_OR_RETURN(
      LandingQueue queue,
      LandingQueue::Open(workshop_, request.plan(), workshop_.desk->ShownOrder(request.plan())));
  ASSIGN_OR_RETURN(const QueuePlan plan, queue.Read());
  v1::GetQueueResponse response;
  for (const QueuePlace& place : plan.places) *response.add_places() = PlaceToProto(place);
  response.set_tip(queue.tip());
  response.set_window(queue.measure().window);
  response.set_failure_rate(queue.measure().failure_rate);
  response.set_batch_size(BestBatchSize(queue.measure().failure_rate, workshop_.queue.batch_max));
  return response;
}

absl::StatusOr<v1::RollBackResponse> ReviewerHandlers::RollBack(
    const rpc::Call& call, const v1::RollBackRequest& request) {
  ASSIGN_OR_RETURN(const Rollback rollback,
                   Rewinder(workshop_).RollBack({.plan = request.plan(),
                                                 .commit = request.commit(),
                                                 .task = request.task(),
                                                 .reason = request.reason(),
                                                 .actor = call.principal()}));
  return RollbackToProto(rollback);
}

absl::StatusOr<v1::GetReviewResponse> ReviewerHandlers::GetReview(
    const rpc::Call&, const v1::GetReviewRequest& request) {
  ASSIGN_OR_RETURN(const Names names, ParseTask(request.task()));
  RETURN_IF_ERROR(RequirePlan(workshop_.store, names.plan()).status());
  ASSIGN_OR_RETURN(const std::vector<Inspection> inspections,
                   workshop_.store.ListInspections(request.task()));
  v1::GetReviewResponse response;
  for (const Inspection& inspection : inspections) {
    RETURN_IF_ERROR(AddAttempt(inspection, response));
  }
  return response;
}

absl::Status ReviewerHandlers::AddAttempt(const Inspection& inspection,
                                          v1::GetReviewResponse& response) {
  v1::GetReviewResponse::Attempt& attempt = *response.add_attempts();
  attempt.set_attempt(inspection.attempt);
  *attempt.mutable_inspection() = InspectionToProto(inspection);
  attempt.mutable_inspect_time()->set_seconds(absl::ToUnixSeconds(inspection.inspect_time));
  ASSIGN_OR_RETURN(const std::optional<Candidate> candidate,
                   workshop_.store.NewestCandidate(inspection.attempt));
  if (!candidate.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const CandidateState state, StateOf(*candidate));
  *attempt.mutable_candidate() = CandidateToProto(state);
  ASSIGN_OR_RETURN(const Names names, ParseCandidate(candidate->name));
  ASSIGN_OR_RETURN(
      const std::optional<Evidence> evidence,
      workshop_.store.FindEvidence(names.project(), candidate->tree, candidate->validator_digest));
  if (evidence.has_value()) {
    for (const ValidatorResult& result : evidence->results) {
      *attempt.add_evidence() = ResultToProto(result);
    }
  }
  ASSIGN_OR_RETURN(const std::optional<GivenVerdict> verdict,
                   workshop_.store.NewestVerdict(candidate->name));
  if (verdict.has_value()) *attempt.mutable_verdict() = VerdictToProto(verdict->verdict);
  ASSIGN_OR_RETURN(const std::optional<Merged> merged,
                   workshop_.store.FindMergedOfAttempt(inspection.attempt));
  if (merged.has_value()) *attempt.mutable_merged() = MergedToProto(*merged);
  return absl::OkStatus();
}

}  // namespace slipway::reviewer
