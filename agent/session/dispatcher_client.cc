#include "agent/session/dispatcher_client.h"

#include <algorithm>
#include <utility>

#include "agent/domain/pause.h"
#include "agent/session/convert.h"
#include "lib/base/error.h"
#include "lib/log/log.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/status.h"

namespace slipway::agent {
namespace {

constexpr char kTokenKey[] = "slipway-agent-token";
constexpr absl::Duration kSubmitTimeout = absl::Seconds(30);
constexpr absl::Duration kDialBackoffMin = absl::Milliseconds(50);
constexpr absl::Duration kDialBackoffMax = absl::Seconds(1);

// Whether the same call may succeed later: the dispatcher is away, restarting or overloaded.
}  // namespace

DispatcherClient::DispatcherClient(Target target, base::Clock& clock)
    : token_(std::move(target.token)),
      clock_(clock),
      uses_tls_(target.credentials != nullptr),
      channel_(rpc::MakeChannel(target.address, {.credentials = std::move(target.credentials),
                                                 .server_name = std::move(target.server_name)})),
      stub_(v1::AgentService::NewStub(channel_)) {}

void DispatcherClient::Authorize(grpc::ClientContext& context) const {
  context.AddMetadata(kTokenKey, token_);
}

absl::StatusOr<std::string> DispatcherClient::GetSnapshot(
    const GrantKey& key, const std::vector<std::string>& cached_commits, absl::Duration timeout,
    absl::FunctionRef<absl::Status(absl::string_view)> sink) {
  grpc::ClientContext context;
  const absl::Status prepared =
      rpc::PrepareContext({.timeout = timeout, .wait_for_ready = true}, context);
  if (!prepared.ok()) return prepared;
  Authorize(context);
  v1::GetSnapshotRequest request;
  request.set_attempt(key.attempt);
  request.set_epoch(key.epoch);
  request.mutable_cached_commits()->Add(cached_commits.begin(), cached_commits.end());
  const auto reader = stub_->GetSnapshot(&context, request);
  v1::GetSnapshotResponse response;
  std::string base_commit;
  absl::Status taken;
  while (taken.ok() && reader->Read(&response)) {
    if (!response.base_commit().empty()) base_commit = response.base_commit();
    taken = sink(response.chunk());
  }
  if (!taken.ok()) context.TryCancel();
  const absl::Status status = rpc::FromGrpcStatus(reader->Finish());
  if (!taken.ok()) return taken;
  if (!status.ok()) return status;
  return base_commit;
}

bool DispatcherClient::IsPassing(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return true;
    case absl::StatusCode::kResourceExhausted:
      return base::ReasonOf(status) != "RESULT_TOO_LARGE";
    default:
      return false;
  }
}

DispatcherClient::Receipt DispatcherClient::ReceiptFromProto(
    v1::SubmitResultResponse::Receipt proto) {
  return proto == v1::SubmitResultResponse::RECEIPT_STALE ? Receipt::kStale : Receipt::kAccepted;
}

absl::StatusOr<DispatcherClient::Receipt> DispatcherClient::SubmitResult(
    const GrantKey& key, const Result& result, absl::Duration timeout,
    absl::FunctionRef<bool()> abandoned) {
  const v1::SubmitResultRequest request = ResultToProto(key, result);
  const absl::Duration deadline = clock_.Elapsed() + timeout;
  absl::Duration backoff = kDialBackoffMin;
  while (true) {
    grpc::ClientContext context;
    const absl::Duration left = deadline - clock_.Elapsed();
    const absl::Status prepared =
        rpc::PrepareContext({.timeout = std::min(left, kSubmitTimeout)}, context);
    if (!prepared.ok()) return prepared;
    Authorize(context);
    v1::SubmitResultResponse response;
    const absl::Status status =
        rpc::FromGrpcStatus(stub_->SubmitResult(&context, request, &response));
    if (status.ok()) return ReceiptFromProto(response.receipt());
    if (!IsPassing(status) || abandoned() || clock_.Elapsed() + backoff >= deadline) return status;
    log::Warning("the result was not taken, trying again",
                 {{"attempt", key.attempt}, {"error", status.message()}});
    Pause(clock_, backoff);
    backoff = std::min(backoff * 2, kDialBackoffMax);
  }
}

}  // namespace slipway::agent
