#include "services/dispatcher/rpc/grpc_reviewer.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/failure.h"
#include "lib/rpc/proto_time.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/rpc/convert.h"
#include "services/dispatcher/rpc/service_identity.h"

namespace slipway::dispatcher {
namespace {

namespace reviewer_pb = reviewer::v1;
using ReviewerStub = reviewer_pb::ReviewerService::StubInterface::async_interface;

// Steps on repositories take milliseconds; a critic thinks for minutes.
constexpr absl::Duration kStepTimeout = absl::Seconds(60);
constexpr absl::Duration kJudgeTimeout = absl::Minutes(20);

Merged MergedFromProto(const reviewer_pb::Merged& proto) {
  return {.branch = proto.branch(),
          .commit = proto.commit(),
          .detail = proto.detail(),
          .tip = proto.tip()};
}

absl::Status Unreadable() { return absl::InternalError("the reviewer's answer has no result"); }

absl::StatusOr<Inspection> InspectionFromProto(const reviewer_pb::InspectResponse& proto) {
  if (proto.has_accepted()) return Inspection{.accepted = true};
  if (!proto.has_refused()) return Unreadable();
  Inspection inspection{.human_may_accept = proto.refused().human_may_accept()};
  for (const reviewer_pb::Reason& reason : proto.refused().reasons()) {
    inspection.reasons.push_back(
        {.code = reason.code(), .path = reason.path(), .detail = reason.detail()});
  }
  return inspection;
}

absl::StatusOr<CandidateOutcome> CandidateFromProto(
    const reviewer_pb::CreateCandidateResponse& proto) {
  if (proto.has_merged()) return CandidateOutcome(MergedFromProto(proto.merged()));
  if (proto.has_conflict()) {
    Conflict conflict;
    for (const reviewer_pb::ConflictedPath& path : proto.conflict().paths()) {
      conflict.paths.push_back({.path = path.path(), .kind = path.kind(), .hunks = path.hunks()});
    }
    return CandidateOutcome(std::move(conflict));
  }
  if (proto.has_queued()) return CandidateOutcome(Queued{.detail = proto.queued().detail()});
  if (proto.has_rejected()) {
    return CandidateOutcome(Rejected{.feedback = proto.rejected().feedback()});
  }
  if (!proto.has_candidate()) return Unreadable();
  const reviewer_pb::Candidate& from = proto.candidate();
  Candidate candidate{.name = from.name(),
                      .commit = from.commit(),
                      .tree = from.tree(),
                      .validator_digest = from.validator_digest(),
                      .evidence_passed = from.evidence_passed()};
  for (const auto& validator : from.validators()) {
    candidate.validators.push_back(ValidatorFromProto(validator));
  }
  return CandidateOutcome(std::move(candidate));
}

absl::StatusOr<EvidenceOutcome> EvidenceOutcomeFromProto(
    const reviewer_pb::RecordEvidenceResponse& proto) {
  return EvidenceOutcome{
      .passed = proto.passed(),
      .feedback = proto.feedback(),
      .rerun = proto.rerun(),
      .unresolved = proto.unresolved(),
      .flaky = {proto.flaky_validators().begin(), proto.flaky_validators().end()}};
}

absl::StatusOr<Judgement> JudgementFromProto(const reviewer_pb::JudgeResponse& proto) {
  Judgement judgement{.summary = proto.summary(),
                      .gaps = {proto.gaps().begin(), proto.gaps().end()}};
  switch (proto.verdict()) {
    case reviewer_pb::VERDICT_PASSED:
      judgement.verdict = Verdict::kPassed;
      return judgement;
    case reviewer_pb::VERDICT_GAPS_FOUND:
      judgement.verdict = Verdict::kGapsFound;
      return judgement;
    case reviewer_pb::VERDICT_HUMAN_NEEDED:
      judgement.verdict = Verdict::kHumanNeeded;
      return judgement;
    default:
      return Unreadable();
  }
}

absl::StatusOr<Diagnosis> DiagnosisFromProto(const reviewer_pb::DiagnoseResponse& proto) {
  Diagnosis diagnosis{.cause = proto.cause(),
                      .findings = {proto.findings().begin(), proto.findings().end()},
                      .guidance = proto.guidance(),
                      .role = proto.role()};
  switch (proto.advice()) {
    case reviewer_pb::DiagnoseResponse::ADVICE_RETRY:
      diagnosis.advice = Decision::kRetry;
      break;
    case reviewer_pb::DiagnoseResponse::ADVICE_EDIT:
      diagnosis.advice = Decision::kEdit;
      break;
    case reviewer_pb::DiagnoseResponse::ADVICE_SKIP:
      diagnosis.advice = Decision::kSkip;
      break;
    case reviewer_pb::DiagnoseResponse::ADVICE_FAIL:
      diagnosis.advice = Decision::kFail;
      break;
    default:
      break;
  }
  return diagnosis;
}

absl::StatusOr<Merged> MergeFromProto(const reviewer_pb::MergeResponse& proto) {
  if (!proto.has_merged()) return Unreadable();
  return MergedFromProto(proto.merged());
}

reviewer_pb::InspectRequest InspectToProto(const InspectStep& step, ChangeResult change) {
  reviewer_pb::InspectRequest request;
  request.set_attempt(step.attempt.Name());
  request.set_epoch(step.attempt.epoch);
  request.set_base_commit(step.base_commit);
  request.set_patch(std::move(change.patch));
  request.set_expected_tree(change.tree);
  request.mutable_allowed_paths()->Add(step.allowed_paths.begin(), step.allowed_paths.end());
  request.set_title(step.title);
  request.set_approver(step.approver);
  return request;
}

reviewer_pb::RecordEvidenceRequest EvidenceToProto(const EvidenceStep& step,
                                                   const EvidenceResult& evidence) {
  reviewer_pb::RecordEvidenceRequest request;
  request.set_candidate(step.candidate);
  request.set_tree(evidence.tree);
  request.set_validator_digest(evidence.validator_digest);
  request.set_attempt(step.attempt.Name());
  for (const ValidatorOutcome& outcome : evidence.outcomes) {
    reviewer_pb::ValidatorResult& result = *request.add_results();
    result.set_validator(outcome.validator);
    result.set_passed(outcome.exit_code == 0 && !outcome.timed_out);
    result.set_exit_code(outcome.exit_code);
    result.set_timed_out(outcome.timed_out);
    *result.mutable_run_duration() = rpc::ToProto(outcome.run_duration);
    result.set_output_tail(outcome.output_tail);
  }
  return request;
}

absl::StatusOr<ReviewOutcome> OutcomeFromProto(
    const reviewer_pb::ReviewChangesResponse::Outcome& proto) {
  if (!proto.has_inspection()) {
    return proto.has_error() ? rpc::FromFailure(proto.error()) : Unreadable();
  }
  ReviewOutcome outcome;
  ASSIGN_OR_RETURN(outcome.inspection, InspectionFromProto(proto.inspection()));
  // Why a later step failed it will say again when it is asked for alone.
  if (proto.has_candidate()) {
    ASSIGN_OR_RETURN(outcome.candidate, CandidateFromProto(proto.candidate()));
  }
  if (proto.has_judgement()) {
    ASSIGN_OR_RETURN(outcome.judgement, JudgementFromProto(proto.judgement()));
  }
  if (proto.has_merge()) {
    ASSIGN_OR_RETURN(outcome.merged, MergeFromProto(proto.merge()));
  }
  return outcome;
}

ReviewOutcomes OutcomesFromProto(const reviewer_pb::ReviewChangesResponse& response,
                                 const std::vector<absl::StatusOr<int>>& places) {
  ReviewOutcomes outcomes;
  for (const absl::StatusOr<int>& place : places) {
    if (!place.ok()) {
      outcomes.push_back(place.status());
    } else if (*place >= response.outcomes_size()) {
      outcomes.push_back(Unreadable());
    } else {
      outcomes.push_back(OutcomeFromProto(response.outcomes(*place)));
    }
  }
  return outcomes;
}

void ChangeToProto(const ReviewStep& step, ChangeResult change,
                   reviewer_pb::ReviewChangesRequest::Change& proto) {
  *proto.mutable_inspection() = InspectToProto(step.inspection, std::move(change));
  proto.set_description(step.judge.description);
  proto.mutable_acceptance()->Add(step.judge.acceptance.begin(), step.judge.acceptance.end());
  proto.set_critical(step.judge.critical);
  proto.set_round(step.judge.round);
}

}  // namespace

template <typename Response, typename T, typename Method, typename Request>
void GrpcReviewer::Call(uint64_t id, Method method, Request request, absl::Duration timeout,
                        absl::StatusOr<T> (*convert)(const Response&), Done<T> done) {
  calls_.Attach(id, rpc::CallUnaryAsync(
                        *stub_->async(), method, std::move(request), AsDispatcher(timeout),
                        absl::AnyInvocable<void(absl::StatusOr<Response>) &&>(
                            [this, id, convert,
                             done = std::move(done)](absl::StatusOr<Response> response) mutable {
                              std::move(done)(response.ok() ? convert(*response)
                                                            : absl::StatusOr<T>(response.status()));
                              calls_.End(id);
                            })));
}

void GrpcReviewer::Inspect(const InspectStep& step, Done<Inspection> done) {
  const uint64_t id = calls_.Begin();
  using Method =
      void (ReviewerStub::*)(grpc::ClientContext*, const reviewer_pb::InspectRequest*,
                             reviewer_pb::InspectResponse*, std::function<void(grpc::Status)>);
  if (std::optional<ChangeResult> recent = store_.TakeRecentChange(step.attempt)) {
    return Call(id, static_cast<Method>(&ReviewerStub::Inspect),
                InspectToProto(step, *std::move(recent)), kStepTimeout, &InspectionFromProto,
                std::move(done));
  }
  auto shared = std::make_shared<Done<Inspection>>(std::move(done));
  const absl::Status queued = executor_.TryRun([this, id, step, shared] {
    absl::StatusOr<ChangeResult> change = store_.ReadChange(step.attempt);
    if (change.ok()) {
      return Call(id, static_cast<Method>(&ReviewerStub::Inspect),
                  InspectToProto(step, *std::move(change)), kStepTimeout, &InspectionFromProto,
                  std::move(*shared));
    }
    std::move (*shared)(change.status());
    calls_.End(id);
  });
  if (queued.ok()) return;
  std::move (*shared)(queued);
  calls_.End(id);
}

void GrpcReviewer::CreateCandidate(const CandidateStep& step, Done<CandidateOutcome> done) {
  reviewer_pb::CreateCandidateRequest request;
  if (step.plan.empty()) {
    request.set_attempt(step.attempt.Name());
    for (const AttemptKey& attempt : step.queue) request.add_queue(attempt.Name());
  } else {
    request.set_plan(step.plan);
  }
  using Method = void (ReviewerStub::*)(
      grpc::ClientContext*, const reviewer_pb::CreateCandidateRequest*,
      reviewer_pb::CreateCandidateResponse*, std::function<void(grpc::Status)>);
  Call(calls_.Begin(), static_cast<Method>(&ReviewerStub::CreateCandidate), std::move(request),
       kStepTimeout, &CandidateFromProto, std::move(done));
}

void GrpcReviewer::RecordEvidence(const EvidenceStep& step, Done<EvidenceOutcome> done) {
  const uint64_t id = calls_.Begin();
  auto shared = std::make_shared<Done<EvidenceOutcome>>(std::move(done));
  const absl::Status queued = executor_.TryRun([this, id, step, shared] {
    const absl::StatusOr<EvidenceResult> evidence = store_.ReadEvidence(step.attempt);
    if (evidence.ok()) {
      using Method = void (ReviewerStub::*)(
          grpc::ClientContext*, const reviewer_pb::RecordEvidenceRequest*,
          reviewer_pb::RecordEvidenceResponse*, std::function<void(grpc::Status)>);
      return Call(id, static_cast<Method>(&ReviewerStub::RecordEvidence),
                  EvidenceToProto(step, *evidence), kStepTimeout, &EvidenceOutcomeFromProto,
                  std::move(*shared));
    }
    std::move (*shared)(evidence.status());
    calls_.End(id);
  });
  if (queued.ok()) return;
  std::move (*shared)(queued);
  calls_.End(id);
}

void GrpcReviewer::Judge(const JudgeStep& step, Done<Judgement> done) {
  reviewer_pb::JudgeRequest request;
  request.set_candidate(step.candidate);
  request.set_title(step.title);
  request.set_description(step.description);
  request.mutable_acceptance()->Add(step.acceptance.begin(), step.acceptance.end());
  request.set_critical(step.critical);
  request.set_round(step.round);
  using Method =
      void (ReviewerStub::*)(grpc::ClientContext*, const reviewer_pb::JudgeRequest*,
                             reviewer_pb::JudgeResponse*, std::function<void(grpc::Status)>);
  Call(calls_.Begin(), static_cast<Method>(&ReviewerStub::Judge), std::move(request), kJudgeTimeout,
       &JudgementFromProto, std::move(done));
}

void GrpcReviewer::Diagnose(const DiagnosisStep& step, Done<Diagnosis> done) {
  reviewer_pb::DiagnoseRequest request;
  request.set_checkpoint(step.checkpoint.Name());
  request.set_question(step.question);
  request.set_title(step.title);
  request.set_description(step.description);
  request.mutable_acceptance()->Add(step.acceptance.begin(), step.acceptance.end());
  request.mutable_allowed_paths()->Add(step.allowed_paths.begin(), step.allowed_paths.end());
  request.mutable_feedback()->Add(step.feedback.begin(), step.feedback.end());
  request.mutable_attempts()->Add(step.attempts.begin(), step.attempts.end());
  using Method =
      void (ReviewerStub::*)(grpc::ClientContext*, const reviewer_pb::DiagnoseRequest*,
                             reviewer_pb::DiagnoseResponse*, std::function<void(grpc::Status)>);
  Call(calls_.Begin(), static_cast<Method>(&ReviewerStub::Diagnose), std::move(request),
       kJudgeTimeout, &DiagnosisFromProto, std::move(done));
}

void GrpcReviewer::Merge(const MergeStep& step, Done<Merged> done) {
  reviewer_pb::MergeRequest request;
  request.set_candidate(step.candidate);
  request.set_approver(step.approver);
  for (const AttemptKey& attempt : step.queue) request.add_queue(attempt.Name());
  using Method =
      void (ReviewerStub::*)(grpc::ClientContext*, const reviewer_pb::MergeRequest*,
                             reviewer_pb::MergeResponse*, std::function<void(grpc::Status)>);
  Call(calls_.Begin(), static_cast<Method>(&ReviewerStub::Merge), std::move(request), kStepTimeout,
       &MergeFromProto, std::move(done));
}

void GrpcReviewer::Review(std::vector<ReviewStep> steps, Done<ReviewOutcomes> done) {
  const uint64_t id = calls_.Begin();
  Reading reading{.steps = std::move(steps), .done = std::move(done)};
  bool all_recent = true;
  for (const ReviewStep& step : reading.steps) {
    std::optional<ChangeResult> recent = store_.TakeRecentChange(step.inspection.attempt);
    all_recent &= recent.has_value();
    reading.changes.push_back(recent.has_value() ? absl::StatusOr<ChangeResult>(*std::move(recent))
                                                 : absl::NotFoundError("on disk"));
  }
  if (all_recent) return SendReview(id, std::move(reading));
  auto shared = std::make_shared<Reading>(std::move(reading));
  const absl::Status queued = executor_.TryRun([this, id, shared] {
    for (size_t i = 0; i < shared->steps.size(); ++i) {
      if (shared->changes[i].ok()) continue;
      shared->changes[i] = store_.ReadChange(shared->steps[i].inspection.attempt);
    }
    SendReview(id, std::move(*shared));
  });
  if (queued.ok()) return;
  std::move(shared->done)(queued);
  calls_.End(id);
}

void GrpcReviewer::SendReview(uint64_t id, Reading reading) {
  reviewer_pb::ReviewChangesRequest request;
  // By step: its place in the call, or why it is not in it.
  std::vector<absl::StatusOr<int>> places;
  size_t bytes = 0;
  for (size_t i = 0; i < reading.steps.size(); ++i) {
    absl::StatusOr<ChangeResult>& change = reading.changes[i];
    if (!change.ok()) {
      places.push_back(change.status());
      continue;
    }
    bytes += change->patch.size() + reading.steps[i].judge.description.size();
    if (bytes > kResultBytesMax && request.changes_size() > 0) {
      places.push_back(absl::UnavailableError("the changes before it fill the call"));
      continue;
    }
    places.push_back(request.changes_size());
    ChangeToProto(reading.steps[i], *std::move(change), *request.add_changes());
  }
  using Method = void (ReviewerStub::*)(
      grpc::ClientContext*, const reviewer_pb::ReviewChangesRequest*,
      reviewer_pb::ReviewChangesResponse*, std::function<void(grpc::Status)>);
  using Response = reviewer_pb::ReviewChangesResponse;
  calls_.Attach(id, rpc::CallUnaryAsync(
                        *stub_->async(), static_cast<Method>(&ReviewerStub::ReviewChanges),
                        std::move(request), AsDispatcher(kStepTimeout),
                        absl::AnyInvocable<void(absl::StatusOr<Response>) &&>(
                            [this, id, places = std::move(places), done = std::move(reading.done)](
                                const absl::StatusOr<Response>& response) mutable {
                              std::move(done)(response.ok()
                                                  ? absl::StatusOr<ReviewOutcomes>(
                                                        OutcomesFromProto(*response, places))
                                                  : response.status());
                              calls_.End(id);
                            })));
}

}  // namespace slipway::dispatcher
