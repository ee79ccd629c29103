#pragma once

#include "absl/status/statusor.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/domain/diagnosis.h"
#include "services/reviewer/domain/merge_queue.h"
#include "services/reviewer/domain/policy.h"
#include "services/reviewer/flow/candidate_builder.h"
#include "services/reviewer/flow/evidence_recorder.h"
#include "services/reviewer/flow/inspector.h"
#include "services/reviewer/flow/judge.h"
#include "slipway/common/v1/policy.pb.h"
#include "slipway/repository/v1/repository_service.pb.h"
#include "slipway/reviewer/v1/reviewer_service.pb.h"

namespace slipway::reviewer {

// A candidate with what its validators are to do.
struct CandidateState {
  Candidate candidate;
  std::vector<Validator> validators;  // To run; none when evidence passed.
  bool evidence_passed = false;
};

// Fails with PolicyInvalid.
absl::StatusOr<ProjectPolicy> PolicyFromProto(const common::v1::ProjectPolicy& message);
absl::StatusOr<Plan> PlanFromProto(const repository::v1::OpenPlanRequest& request);
InspectionRequest InspectionFromProto(const v1::InspectRequest& request);
EvidenceReport EvidenceFromProto(const v1::RecordEvidenceRequest& request);
FailedTask FailedTaskFromProto(const v1::DiagnoseRequest& request);
JudgeRequest JudgeFromProto(const v1::JudgeRequest& request);

v1::InspectResponse InspectionToProto(const Inspection& inspection);
v1::Candidate CandidateToProto(const CandidateState& state);
v1::Conflict ConflictToProto(const ConflictReport& report);
v1::Merged MergedToProto(const Merged& merged);
v1::GetQueueResponse::Place PlaceToProto(const QueuePlace& place);
v1::RollBackResponse RollbackToProto(const Rollback& rollback);
v1::JudgeResponse VerdictToProto(const Verdict& verdict);
v1::DiagnoseResponse DiagnosisToProto(const Diagnosis& diagnosis);
v1::ValidatorResult ResultToProto(const ValidatorResult& result);

}  // namespace slipway::reviewer
