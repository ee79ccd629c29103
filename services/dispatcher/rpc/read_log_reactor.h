#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>

#include "lib/base/clock.h"
#include "lib/base/executor.h"
#include "lib/base/mutex.h"
#include "lib/rpc/call_record.h"
#include "services/dispatcher/domain/attempt_logs.h"
#include "services/dispatcher/domain/task_store.h"
#include "slipway/dispatcher/v1/dispatcher_service.pb.h"

namespace slipway::dispatcher {

// One ReadLog stream: a loop over the file by offset. One owner at a time drives it: a job that
// reads, a write in flight, or the timer of a follower at the end of the log. Holds itself until
// gRPC is done with it.
class ReadLogReactor final : public grpc::ServerWriteReactor<v1::ReadLogResponse>,
                             public std::enable_shared_from_this<ReadLogReactor> {
 public:
  // What all streams share; must outlive the RPCs.
  struct Host {
    AttemptLogs& logs;
    TaskStore& store;
    base::Executor& executor;
    base::Clock& clock;
    std::atomic<bool> stopping = false;  // Ends followers at their next look.
  };

  static ReadLogReactor* Start(Host& host, const grpc::CallbackServerContext& context,
                               const v1::ReadLogRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override { cancelled_->store(true); }
  void OnDone() override;

 private:
  ReadLogReactor(Host& host, const grpc::CallbackServerContext& context,
                 const v1::ReadLogRequest& request);

  void Advance();
  void Step();
  absl::Status Begin();
  void SendLoss(const LogPiece& lost);
  void Write();
  void Park();
  void End(const absl::Status& status);

  Host& host_;
  const v1::ReadLogRequest request_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  rpc::CallRecord record_;
  std::shared_ptr<ReadLogReactor> self_;

  // Of the owner.
  bool begun_ = false;
  AttemptKey attempt_;
  int64_t offset_ = 0;
  bool ends_line_ = true;  // What was sent last ended a line.
  v1::ReadLogResponse response_;
  // Hands all this on from who writes to who is told that it was written. gRPC does so, too, but
  // ThreadSanitizer does not see that.
  std::atomic<int64_t> writes_ = 0;
  base::Mutex timer_mutex_;
  std::unique_ptr<base::Timer> timer_ ABSL_GUARDED_BY(timer_mutex_);
};

}  // namespace slipway::dispatcher
