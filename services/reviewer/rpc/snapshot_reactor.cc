#include "services/reviewer/rpc/snapshot_reactor.h"

#include <utility>

#include "lib/log/context.h"
#include "lib/rpc/metadata.h"
#include "lib/rpc/status.h"
#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {

SnapshotReactor* SnapshotReactor::Start(RepositoryHandlers& handlers, base::Executor& executor,
                                        const grpc::CallbackServerContext& context,
                                        const repository::v1::GetSnapshotRequest& request) {
  std::shared_ptr<SnapshotReactor> reactor(new SnapshotReactor(handlers, context, request));
  reactor->self_ = reactor;
  const absl::Status queued = executor.TryRun([reactor] { reactor->Pack(); });
  if (!queued.ok()) reactor->End(queued);
  return reactor.get();
}

SnapshotReactor::SnapshotReactor(RepositoryHandlers& handlers,
                                 const grpc::CallbackServerContext& context,
                                 const repository::v1::GetSnapshotRequest& request)
    : handlers_(handlers),
      request_(request),
      record_(rpc::RpcName<repository::v1::GetSnapshotRequest>(), rpc::CallOf(context, cancelled_),
              rpc::CallRecord::Kind::kStream) {}

void SnapshotReactor::Pack() {
  const log::ScopedContext log_context({.request_id = record_.call().request_id()});
  End(handlers_.WriteSnapshot(
      request_, [this](const std::string& base_commit) { response_.set_base_commit(base_commit); },
      [this](absl::string_view chunk) { return Push(chunk); }));
}

absl::Status SnapshotReactor::Push(absl::string_view chunk) {
  {
    base::MutexLock lock(mutex_);
    while (waiting_.size() >= kSnapshotChunksWaitingMax && !abandoned_) taken_.Wait(mutex_);
    if (abandoned_) return absl::CancelledError("the caller went away");
    if (writing_) {
      waiting_.emplace_back(chunk);
      return absl::OkStatus();
    }
    writing_ = true;
  }
  response_.set_chunk(chunk.data(), chunk.size());
  StartWrite(&response_);
  return absl::OkStatus();
}

void SnapshotReactor::OnWriteDone(bool ok) {
  bool more = false;
  absl::Status status;
  {
    base::MutexLock lock(mutex_);
    if (!ok) abandoned_ = true;
    if (abandoned_) waiting_.clear();
    taken_.NotifyOne();
    response_.clear_base_commit();  // Of the first piece only.
    if (!waiting_.empty()) {
      response_.set_chunk(std::move(waiting_.front()));
      waiting_.pop_front();
      more = true;
    } else {
      writing_ = false;
      if (!ended_) return;
      status = status_;
    }
  }
  if (more) return StartWrite(&response_);
  FinishWith(status);
}

void SnapshotReactor::End(absl::Status status) {
  {
    base::MutexLock lock(mutex_);
    ended_ = true;
    status_ = status;
    if (writing_) return;  // The end of the last write finishes.
  }
  FinishWith(status);
}

void SnapshotReactor::Abandon() {
  cancelled_->store(true, std::memory_order_release);
  base::MutexLock lock(mutex_);
  abandoned_ = true;
  taken_.NotifyOne();
}

void SnapshotReactor::FinishWith(const absl::Status& status) {
  record_.Finish(status);
  Finish(rpc::ToGrpcStatus(status, record_.call().request_id()));
}

}  // namespace slipway::reviewer
