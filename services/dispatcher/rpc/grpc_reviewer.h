#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <vector>

#include "lib/base/executor.h"
#include "services/dispatcher/domain/reviewer.h"
#include "services/dispatcher/domain/task_store.h"
#include "services/dispatcher/rpc/calls_under_way.h"
#include "slipway/reviewer/v1/reviewer_service.grpc.pb.h"

namespace slipway::dispatcher {

// The reviewer service as the steps of the review. Patches and evidence are read from the store on
// `executor`. Thread-safe; the collaborators must outlive it.
class GrpcReviewer final : public Reviewer {
 public:
  GrpcReviewer(const std::shared_ptr<grpc::Channel>& channel, TaskStore& store,
               base::Executor& executor)
      : stub_(reviewer::v1::ReviewerService::NewStub(channel)),
        store_(store),
        executor_(executor) {}

  // Ends what is under way and waits for it.
  void Stop() { calls_.Stop(); }

  void Inspect(const InspectStep& step, Done<Inspection> done) override;
  void CreateCandidate(const CandidateStep& step, Done<CandidateOutcome> done) override;
  void RecordEvidence(const EvidenceStep& step, Done<EvidenceOutcome> done) override;
  void Judge(const JudgeStep& step, Done<Judgement> done) override;
  void Diagnose(const DiagnosisStep& step, Done<Diagnosis> done) override;
  void Merge(const MergeStep& step, Done<Merged> done) override;
  // Changes that are too large for one call together are left for the next: UNAVAILABLE.
  void Review(std::vector<ReviewStep> steps, Done<ReviewOutcomes> done) override;

 private:
  template <typename Response, typename T, typename Method, typename Request>
  void Call(uint64_t id, Method method, Request request, absl::Duration timeout,
            absl::StatusOr<T> (*convert)(const Response&), Done<T> done);

  // A review whose changes are being read.
  struct Reading {
    std::vector<ReviewStep> steps;
    std::vector<absl::StatusOr<ChangeResult>> changes;  // By step.
    Done<ReviewOutcomes> done;
  };
  void SendReview(uint64_t id, Reading reading);

  const std::unique_ptr<reviewer::v1::ReviewerService::Stub> stub_;
  TaskStore& store_;
  base::Executor& executor_;
  CallsUnderWay calls_;
};

}  // namespace slipway::dispatcher
