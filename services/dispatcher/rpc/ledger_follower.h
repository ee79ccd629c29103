#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <string>
#include <thread>

#include "lib/base/mutex.h"
#include "services/dispatcher/domain/dispatcher.h"
#include "slipway/events/v1/event_log.grpc.pb.h"

namespace slipway::dispatcher {

// Follows the ledger's log for budgets that were raised and what calls cost, from where it was
// left. Without the ledger paused work looks again by itself, only later, and projects' turns go by
// time alone. A log that was exchanged for another one is read from its start: what it tells of
// costs then counts again.
class LedgerFollower final {
 public:
  LedgerFollower(const std::shared_ptr<grpc::Channel>& ledger, Dispatcher& dispatcher,
                 std::string cursor);
  ~LedgerFollower() { Stop(); }

  // Idempotent.
  void Stop();

 private:
  void Loop();
  absl::Status Follow(grpc::ClientContext& context);
  void Apply(const events::v1::WatchResponse& response);

  const std::unique_ptr<events::v1::EventLogService::Stub> stub_;
  Dispatcher& dispatcher_;
  std::string cursor_;  // Of the thread.
  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::thread thread_;
};

}  // namespace slipway::dispatcher
