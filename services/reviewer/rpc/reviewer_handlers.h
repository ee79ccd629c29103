#pragma once

#include "absl/status/statusor.h"
#include "lib/rpc/call.h"
#include "services/reviewer/flow/workshop.h"
#include "services/reviewer/rpc/convert.h"
#include "slipway/reviewer/v1/reviewer_service.pb.h"

namespace slipway::reviewer {

// The methods of ReviewerService. All block; thread-safe.
class ReviewerHandlers final {
 public:
  ReviewerHandlers(const Workshop& workshop, ModelClient& models)
      : workshop_(workshop), models_(models) {}

  absl::StatusOr<v1::InspectResponse> Inspect(const rpc::Call& call,
                                              const v1::InspectRequest& request);
  absl::StatusOr<v1::CreateCandidateResponse> CreateCandidate(
      const rpc::Call& call, const v1::CreateCandidateRequest& request);
  absl::StatusOr<v1::RecordEvidenceResponse> RecordEvidence(
      const rpc::Call& call, const v1::RecordEvidenceRequest& request);
  absl::StatusOr<v1::JudgeResponse> Judge(const rpc::Call& call, const v1::JudgeRequest& request);
  absl::StatusOr<v1::DiagnoseResponse> Diagnose(const rpc::Call& call,
                                                const v1::DiagnoseRequest& request);
  absl::StatusOr<v1::MergeResponse> Merge(const rpc::Call& call, const v1::MergeRequest& request);
  absl::StatusOr<v1::ReviewChangesResponse> ReviewChanges(const rpc::Call& call,
                                                          const v1::ReviewChangesRequest& request);
  absl::StatusOr<v1::RollBackResponse> RollBack(const rpc::Call& call,
                                                const v1::RollBackRequest& request);
  absl::StatusOr<v1::GetQueueResponse> GetQueue(const rpc::Call& call,
                                                const v1::GetQueueRequest& request);
  absl::StatusOr<v1::GetReviewResponse> GetReview(const rpc::Call& call,
                                                  const v1::GetReviewRequest& request);

 private:
  // One step after the other into `outcome`, until something else is needed or one fails.
  absl::Status Review(const rpc::Call& call, const v1::ReviewChangesRequest::Change& change,
                      v1::ReviewChangesResponse::Outcome& outcome);
  absl::StatusOr<v1::Merged> WithTip(const Merged& merged, const std::string& attempt);
  absl::StatusOr<CandidateState> StateOf(const Candidate& candidate);
  absl::Status AddAttempt(const Inspection& inspection, v1::GetReviewResponse& response);

  const Workshop& workshop_;
  ModelClient& models_;
};

}  // namespace slipway::reviewer
