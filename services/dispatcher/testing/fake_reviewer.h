#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/rpc/failure.h"
#include "slipway/repository/v1/repository_service.grpc.pb.h"
#include "slipway/reviewer/v1/reviewer_service.grpc.pb.h"

namespace slipway::dispatcher {

// A reviewer that keeps no repository: every step succeeds unless a test says otherwise. Commits
// are counted, "commit-1", and land in the order of the merges.
class FakeReviewer final : public reviewer::v1::ReviewerService::Service {
 public:
  template <typename Request, typename Response>
  using Script = std::function<grpc::Status(const Request&, Response&)>;

  // Called in place of the step when set.
  Script<reviewer::v1::InspectRequest, reviewer::v1::InspectResponse> inspect;
  Script<reviewer::v1::CreateCandidateRequest, reviewer::v1::CreateCandidateResponse> candidate;
  Script<reviewer::v1::RecordEvidenceRequest, reviewer::v1::RecordEvidenceResponse> evidence;
  Script<reviewer::v1::JudgeRequest, reviewer::v1::JudgeResponse> judge;
  Script<reviewer::v1::DiagnoseRequest, reviewer::v1::DiagnoseResponse> diagnose;
  Script<reviewer::v1::MergeRequest, reviewer::v1::MergeResponse> merge;

  // Candidates have a validator, which agents must run.
  std::atomic<bool> with_validators = false;

  // Names of candidates in the order in which they landed.
  std::vector<std::string> merged() {
    base::MutexLock lock(mutex_);
    return merged_;
  }
  std::vector<std::string> calls() {
    base::MutexLock lock(mutex_);
    return calls_;
  }

  int Count(const std::string& call) {
    const std::vector<std::string> all = calls();
    return static_cast<int>(std::count(all.begin(), all.end(), call));
  }

  static void FillCandidate(const std::string& change, bool validators,
                            reviewer::v1::CreateCandidateResponse& response) {
    reviewer::v1::Candidate& made = *response.mutable_candidate();
    made.set_name(change + "/candidate");
    made.set_commit("candidate of " + change);
    made.set_tree("tree of " + change);
    made.set_validator_digest("digest");
    made.set_method("FAST_PATH");
    if (validators) made.add_validators()->set_name("unit-tests");
  }

  grpc::Status Inspect(grpc::ServerContext*, const reviewer::v1::InspectRequest* request,
                       reviewer::v1::InspectResponse* response) override {
    Note("Inspect " + request->attempt());
    if (inspect) return inspect(*request, *response);
    response->mutable_accepted()->set_commit("accepted");
    return grpc::Status::OK;
  }

  grpc::Status CreateCandidate(grpc::ServerContext*,
                               const reviewer::v1::CreateCandidateRequest* request,
                               reviewer::v1::CreateCandidateResponse* response) override {
    const std::string change = request->has_plan() ? request->plan() : request->attempt();
    Note("CreateCandidate " + change);
    if (candidate) return candidate(*request, *response);
    FillCandidate(change, with_validators, *response);
    return grpc::Status::OK;
  }

  grpc::Status RecordEvidence(grpc::ServerContext*,
                              const reviewer::v1::RecordEvidenceRequest* request,
                              reviewer::v1::RecordEvidenceResponse* response) override {
    Note("RecordEvidence " + request->candidate());
    if (evidence) return evidence(*request, *response);
    bool passed = true;
    for (const auto& result : request->results()) passed = passed && result.passed();
    response->set_passed(passed);
    // Another failure each time.
    const std::string line(static_cast<size_t>(passed ? 0 : ++failed_evidence_), 'x');
    if (!passed) response->set_feedback("unit-tests: test_parse failed at " + line);
    return grpc::Status::OK;
  }

  grpc::Status Judge(grpc::ServerContext*, const reviewer::v1::JudgeRequest* request,
                     reviewer::v1::JudgeResponse* response) override {
    Note("Judge " + request->candidate());
    if (judge) return judge(*request, *response);
    response->set_verdict(reviewer::v1::VERDICT_PASSED);
    return grpc::Status::OK;
  }

  grpc::Status Diagnose(grpc::ServerContext*, const reviewer::v1::DiagnoseRequest* request,
                        reviewer::v1::DiagnoseResponse* response) override {
    Note("Diagnose " + request->checkpoint());
    return diagnose ? diagnose(*request, *response) : grpc::Status::OK;
  }

  grpc::Status Merge(grpc::ServerContext*, const reviewer::v1::MergeRequest* request,
                     reviewer::v1::MergeResponse* response) override {
    Note("Merge " + request->candidate());
    if (merge) {
      const grpc::Status status = merge(*request, *response);
      if (!status.ok() || response->has_merged()) return status;
    }
    base::MutexLock lock(mutex_);
    std::string& commit = commits_[request->candidate()];
    if (commit.empty()) {
      merged_.push_back(request->candidate());
      commit = "commit-" + std::to_string(merged_.size());
    }
    response->mutable_merged()->set_commit(commit);
    response->mutable_merged()->set_detail("merged as " + commit);
    return grpc::Status::OK;
  }

  // As the service does it; a script for the verdict is a critic, who is asked apart.
  grpc::Status ReviewChanges(grpc::ServerContext* context,
                             const reviewer::v1::ReviewChangesRequest* request,
                             reviewer::v1::ReviewChangesResponse* response) override {
    for (const auto& change : request->changes()) {
      auto& outcome = *response->add_outcomes();
      const grpc::Status status = Review(context, change, outcome);
      if (!status.ok()) rpc::ToFailure(rpc::FromGrpcStatus(status), *outcome.mutable_error());
    }
    return grpc::Status::OK;
  }

 private:
  grpc::Status Review(grpc::ServerContext* context,
                      const reviewer::v1::ReviewChangesRequest::Change& change,
                      reviewer::v1::ReviewChangesResponse::Outcome& outcome) {
    grpc::Status status = Inspect(context, &change.inspection(), outcome.mutable_inspection());
    if (!status.ok()) outcome.clear_inspection();
    if (!status.ok() || !outcome.inspection().has_accepted()) return status;
    reviewer::v1::CreateCandidateRequest build;
    build.set_attempt(change.inspection().attempt());
    status = CreateCandidate(context, &build, outcome.mutable_candidate());
    if (!status.ok()) outcome.clear_candidate();
    const reviewer::v1::Candidate& candidate = outcome.candidate().candidate();
    if (candidate.name().empty() || candidate.validators_size() > 0 || judge) return status;
    reviewer::v1::JudgeRequest verdict;
    verdict.set_candidate(candidate.name());
    status = Judge(context, &verdict, outcome.mutable_judgement());
    reviewer::v1::MergeRequest land;
    land.set_candidate(candidate.name());
    status = Merge(context, &land, outcome.mutable_merge());
    if (!status.ok()) outcome.clear_merge();
    return status;
  }

  void Note(std::string call) {
    base::MutexLock lock(mutex_);
    calls_.push_back(std::move(call));
  }

  std::atomic<int> failed_evidence_ = 0;
  base::Mutex mutex_;
  std::vector<std::string> merged_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> commits_ ABSL_GUARDED_BY(mutex_);
};

// Snapshots of three pieces; the base is the last of what the receiver has.
class FakeRepository final : public repository::v1::RepositoryService::Service {
 public:
  grpc::Status GetSnapshot(
      grpc::ServerContext*, const repository::v1::GetSnapshotRequest* request,
      grpc::ServerWriter<repository::v1::GetSnapshotResponse>* writer) override {
    repository::v1::GetSnapshotResponse response;
    if (request->cached_commits_size() > 0) {
      response.set_base_commit(*request->cached_commits().rbegin());
    }
    for (const std::string& piece :
         {std::string("pack of "), request->commit(), std::string(".")}) {
      response.set_chunk(piece);
      writer->Write(response);
      response.clear_base_commit();
    }
    return grpc::Status::OK;
  }
};

}  // namespace slipway::dispatcher
