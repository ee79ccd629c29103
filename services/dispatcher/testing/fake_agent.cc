#include "services/dispatcher/testing/fake_agent.h"

#include <utility>

#include "lib/rpc/status.h"

namespace slipway::dispatcher {
namespace {

namespace pb = agent::v1;
constexpr char kTokenKey[] = "slipway-agent-token";

pb::HeldGrant HeldOf(const pb::Grant& grant) {
  pb::HeldGrant held;
  held.set_attempt(grant.attempt());
  held.set_epoch(grant.epoch());
  return held;
}

}  // namespace

FakeAgent::FakeAgent(std::shared_ptr<grpc::Channel> channel, Options options, Script script)
    : options_(std::move(options)),
      script_(std::move(script)),
      stub_(pb::AgentService::NewStub(channel)),
      held_(options_.held) {
  context_.AddMetadata(kTokenKey, options_.token);
  stream_ = stub_->Session(&context_);
  pb::SessionRequest hello;
  hello.mutable_hello()->set_protocol(options_.protocol);
  hello.mutable_hello()->set_protocol_min(options_.protocol_min);
  hello.mutable_hello()->set_agent(options_.name);
  hello.mutable_hello()->set_host(options_.host);
  hello.mutable_hello()->set_boot_nonce(options_.boot_nonce);
  for (const pb::HeldGrant& held : options_.held) *hello.mutable_hello()->add_held() = held;
  Write(hello);
  thread_ = std::thread([this] { Loop(); });
}

void FakeAgent::Leave() {
  context_.TryCancel();
  if (thread_.joinable()) thread_.join();
}

void FakeAgent::Write(const pb::SessionRequest& request) {
  base::MutexLock lock(write_mutex_);
  stream_->Write(request);
}

void FakeAgent::Loop() {
  pb::SessionResponse response;
  while (stream_->Read(&response)) {
    if (response.has_grant()) HandleGrant(response.grant());
    base::MutexLock lock(mutex_);
    if (response.has_receipt()) receipts_.push_back(response.receipt());
    if (response.has_welcome()) protocol_ = response.welcome().protocol();
    for (const auto& verdict : response.welcome().verdicts()) verdicts_.push_back(verdict);
    for (const auto& verdict : response.beat_answer().verdicts()) verdicts_.push_back(verdict);
  }
  const absl::Status status = rpc::FromGrpcStatus(stream_->Finish());
  base::MutexLock lock(mutex_);
  ended_ = status;
}

void FakeAgent::HandleGrant(const pb::Grant& grant) {
  {
    base::MutexLock lock(mutex_);
    grants_.push_back(grant);
    if (options_.takes_grants) held_ = {HeldOf(grant)};
  }
  if (!options_.takes_grants) return;
  pb::SessionRequest answer;
  answer.mutable_grant_answer()->set_attempt(grant.attempt());
  answer.mutable_grant_answer()->set_epoch(grant.epoch());
  answer.mutable_grant_answer()->set_accepted(true);
  Write(answer);
  const std::optional<pb::SubmitResultRequest> result = script_(grant);
  if (!result.has_value()) return;
  Submit(*result).status().IgnoreError();
  {
    base::MutexLock lock(mutex_);
    held_.clear();
  }
  SendBeat();
}

absl::StatusOr<pb::SubmitResultResponse> FakeAgent::Submit(const pb::SubmitResultRequest& request) {
  grpc::ClientContext context;
  context.AddMetadata(kTokenKey, options_.token);
  pb::SubmitResultResponse response;
  const absl::Status status =
      rpc::FromGrpcStatus(stub_->SubmitResult(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<std::string> FakeAgent::GetSnapshot(const pb::Grant& grant,
                                                   const std::vector<std::string>& cached) {
  grpc::ClientContext context;
  context.AddMetadata(kTokenKey, options_.token);
  pb::GetSnapshotRequest request;
  request.set_attempt(grant.attempt());
  request.set_epoch(grant.epoch());
  request.mutable_cached_commits()->Add(cached.begin(), cached.end());
  const auto reader = stub_->GetSnapshot(&context, request);
  pb::GetSnapshotResponse response;
  std::string snapshot;
  while (reader->Read(&response)) {
    if (!response.base_commit().empty()) snapshot += response.base_commit() + "->";
    snapshot += response.chunk();
  }
  const absl::Status status = rpc::FromGrpcStatus(reader->Finish());
  if (!status.ok()) return status;
  return snapshot;
}

void FakeAgent::Report(const pb::SubmitResultRequest& result, bool ready) {
  pb::SessionRequest report;
  *report.mutable_result()->mutable_result() = result;
  report.mutable_result()->set_ready(ready);
  Write(report);
}

void FakeAgent::SendBeat() {
  pb::SessionRequest beat;
  {
    base::MutexLock lock(mutex_);
    beat.mutable_beat()->set_sequence(++beats_);
    beat.mutable_beat()->set_phase(held_.empty() ? "idle" : "work");
    for (const pb::HeldGrant& held : held_) *beat.mutable_beat()->add_held() = held;
  }
  Write(beat);
}

void FakeAgent::SendLog(const pb::Grant& grant, int64_t offset, const std::string& data) {
  pb::SessionRequest log;
  log.mutable_log()->set_attempt(grant.attempt());
  log.mutable_log()->set_epoch(grant.epoch());
  log.mutable_log()->set_offset(offset);
  log.mutable_log()->set_data(data);
  Write(log);
}

void FakeAgent::SendProgress(const pb::Grant& grant, const std::string& detail) {
  pb::SessionRequest progress;
  progress.mutable_progress()->set_attempt(grant.attempt());
  progress.mutable_progress()->set_epoch(grant.epoch());
  progress.mutable_progress()->set_phase("model");
  progress.mutable_progress()->set_detail(detail);
  Write(progress);
}

std::vector<pb::Grant> FakeAgent::grants() {
  base::MutexLock lock(mutex_);
  return grants_;
}

std::vector<pb::ResultReceipt> FakeAgent::receipts() {
  base::MutexLock lock(mutex_);
  return receipts_;
}

int FakeAgent::protocol() {
  base::MutexLock lock(mutex_);
  return protocol_;
}

std::vector<pb::GrantVerdict> FakeAgent::verdicts() {
  base::MutexLock lock(mutex_);
  return verdicts_;
}

std::optional<absl::Status> FakeAgent::ended() {
  base::MutexLock lock(mutex_);
  return ended_;
}

pb::SubmitResultRequest FakeAgent::ResultOf(const pb::Grant& grant) {
  pb::SubmitResultRequest result;
  result.set_attempt(grant.attempt());
  result.set_epoch(grant.epoch());
  return result;
}

pb::SubmitResultRequest FakeAgent::Change(const pb::Grant& grant) {
  pb::SubmitResultRequest result = ResultOf(grant);
  result.mutable_change()->set_patch("patch of " + grant.attempt());
  return result;
}

pb::SubmitResultRequest FakeAgent::Evidence(const pb::Grant& grant, bool passed) {
  pb::SubmitResultRequest result = ResultOf(grant);
  result.mutable_evidence()->set_tree(grant.run_validators().tree());
  result.mutable_evidence()->set_validator_digest(grant.run_validators().validator_digest());
  pb::ValidatorOutcome& outcome = *result.mutable_evidence()->add_outcomes();
  outcome.set_validator("unit-tests");
  outcome.set_exit_code(passed ? 0 : 1);
  return result;
}

std::optional<pb::SubmitResultRequest> FakeAgent::Obedient(const pb::Grant& grant) {
  return grant.has_run_validators() ? Evidence(grant, true) : Change(grant);
}

}  // namespace slipway::dispatcher
