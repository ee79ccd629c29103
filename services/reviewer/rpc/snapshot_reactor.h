#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <deque>
#include <memory>
#include <string>

#include "lib/base/executor.h"
#include "lib/base/mutex.h"
#include "lib/rpc/call_record.h"
#include "services/reviewer/rpc/repository_handlers.h"
#include "slipway/repository/v1/repository_service.pb.h"

namespace slipway::reviewer {

// One GetSnapshot stream: a job on the executor packs, gRPC takes the chunks. The job waits while
// kSnapshotChunksWaitingMax chunks wait for the receiver. Holds itself until gRPC is done with it.
class SnapshotReactor final : public grpc::ServerWriteReactor<repository::v1::GetSnapshotResponse>,
                              public std::enable_shared_from_this<SnapshotReactor> {
 public:
  static SnapshotReactor* Start(RepositoryHandlers& handlers, base::Executor& executor,
                                const grpc::CallbackServerContext& context,
                                const repository::v1::GetSnapshotRequest& request);

 private:
  SnapshotReactor(RepositoryHandlers& handlers, const grpc::CallbackServerContext& context,
                  const repository::v1::GetSnapshotRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override { Abandon(); }
  void OnDone() override { self_.reset(); }

  // The job.
  void Pack();
  // Takes a chunk from the job; an error once nobody wants more.
  absl::Status Push(absl::string_view chunk);
  // Nothing more comes.
  void End(absl::Status status);
  void Abandon();
  void FinishWith(const absl::Status& status);

  RepositoryHandlers& handlers_;
  const repository::v1::GetSnapshotRequest request_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  rpc::CallRecord record_;
  std::shared_ptr<SnapshotReactor> self_;
  repository::v1::GetSnapshotResponse response_;  // Of the write in flight.

  base::Mutex mutex_;
  base::CondVar taken_;
  std::deque<std::string> waiting_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::reviewer
