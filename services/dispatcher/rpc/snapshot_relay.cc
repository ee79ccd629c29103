#include "services/dispatcher/rpc/snapshot_relay.h"

#include <algorithm>
#include <utility>

#include "lib/metrics/metrics.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/status.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/rpc/agent_convert.h"
#include "services/dispatcher/rpc/agent_token.h"
#include "services/dispatcher/rpc/service_identity.h"

namespace slipway::dispatcher {
namespace {

// A large repository over a slow line; far below an attempt's own limit.
constexpr absl::Duration kSnapshotTimeout = absl::Minutes(10);
// As many as the contract says count.
constexpr int kCachedCommitsMax = 16;

metrics::Counter snapshots_relayed(
    {.name = "slipway_dispatcher_snapshots_total",
     .description = "Snapshots handed to agents, by what the cache of the agent's host was to "
                    "them: hit (a difference), miss (complete all the same), empty.",
     .labels = {"cache"}});
metrics::Counter snapshot_bytes_relayed(
    {.name = "slipway_dispatcher_snapshot_bytes_total",
     .description = "Bytes of snapshots handed to agents, by what the cache was to them.",
     .labels = {"cache"}});

}  // namespace

// The reviewer's side. Keeps the relay alive until its own OnDone.
class SnapshotRelay::Source final
    : public grpc::ClientReadReactor<repository::v1::GetSnapshotResponse> {
 public:
  Source(std::shared_ptr<SnapshotRelay> relay, const AttemptKey& key, const std::string& commit,
         const std::vector<std::string>& cached_commits)
      : relay_(std::move(relay)) {
    request_.set_project(ProjectOf(key.task.plan));
    request_.set_commit(commit);
    request_.mutable_cached_commits()->Add(cached_commits.begin(), cached_commits.end());
  }

  absl::Status Start(repository::v1::RepositoryService::Stub& stub, std::shared_ptr<Source> self) {
    absl::Status prepared = rpc::PrepareContext(AsDispatcher(kSnapshotTimeout), context_);
    if (!prepared.ok()) return prepared;
    self_ = std::move(self);
    stub.async()->GetSnapshot(&context_, &request_, this);
    // One hold for the reads that the other side starts from its own callbacks.
    AddHold();
    StartRead(&response_);
    StartCall();
    return absl::OkStatus();
  }

  void Next() { StartRead(&response_); }
  void Cancel() { context_.TryCancel(); }
  void Release() { RemoveHold(); }

  void OnReadDone(bool ok) override {
    if (ok) return relay_->Pass(response_);
    Release();
  }
  void OnDone(const grpc::Status& status) override {
    relay_->End(rpc::FromGrpcStatus(status));
    self_.reset();
  }

 private:
  const std::shared_ptr<SnapshotRelay> relay_;
  std::shared_ptr<Source> self_;
  grpc::ClientContext context_;
  repository::v1::GetSnapshotRequest request_;
  repository::v1::GetSnapshotResponse response_;
};

SnapshotRelay* SnapshotRelay::Start(Host& host, const grpc::CallbackServerContext& context,
                                    const agent::v1::GetSnapshotRequest& request) {
  const auto& cached = request.cached_commits();
  const int cached_count = std::min(cached.size(), kCachedCommitsMax);
  std::shared_ptr<SnapshotRelay> relay(
      new SnapshotRelay(host, {cached.begin(), cached.begin() + cached_count}));
  relay->self_ = relay;
  std::optional<AgentIdentity> caller = IdentityOf(context, host.tokens);
  absl::StatusOr<AttemptKey> key = KeyFromProto(request.attempt(), request.epoch());
  if (!caller.has_value() || !key.ok()) {
    relay->End(caller.has_value() ? key.status() : TokenInvalid());
    return relay.get();
  }
  host.dispatcher.SnapshotCommit(
      *std::move(caller), *key,
      base::Reply<std::string>(
          [relay, key = *key](absl::StatusOr<std::string> commit) { relay->Open(key, commit); }));
  return relay.get();
}

void SnapshotRelay::Open(const AttemptKey& key, const absl::StatusOr<std::string>& commit) {
  if (!commit.ok()) return End(commit.status());
  auto source = std::make_shared<Source>(shared_from_this(), key, *commit, cached_commits_);
  bool cancelled = false;
  {
    base::MutexLock lock(mutex_);
    source_ = source;
    cancelled = cancelled_;
  }
  if (cancelled) return End(absl::CancelledError("the agent is gone"));
  const absl::Status started = source->Start(host_.repository, source);
  if (!started.ok()) End(started);
}

void SnapshotRelay::Pass(repository::v1::GetSnapshotResponse& piece) {
  if (bytes_ == 0) incremental_ = !piece.base_commit().empty();
  bytes_ += piece.chunk().size();
  response_.set_base_commit(std::move(*piece.mutable_base_commit()));
  response_.set_chunk(std::move(*piece.mutable_chunk()));
  StartWrite(&response_);
}

void SnapshotRelay::OnWriteDone(bool ok) {
  std::shared_ptr<Source> source;
  {
    base::MutexLock lock(mutex_);
    source = source_;
  }
  if (ok) return source->Next();
  source->Cancel();
  source->Release();
}

void SnapshotRelay::OnCancel() {
  base::MutexLock lock(mutex_);
  cancelled_ = true;
  if (source_ != nullptr) source_->Cancel();
}

// Called once: before there is a source, or when it is done.
void SnapshotRelay::End(const absl::Status& status) {
  if (status.ok()) {
    const char* const cache = cached_commits_.empty() ? "empty" : incremental_ ? "hit" : "miss";
    snapshots_relayed.Increment({cache});
    snapshot_bytes_relayed.Increment({cache}, bytes_);
  }
  {
    base::MutexLock lock(mutex_);
    source_.reset();
  }
  Finish(rpc::ToGrpcStatus(status));
}

}  // namespace slipway::dispatcher
