#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "lib/base/mutex.h"
#include "slipway/events/v1/event_log.grpc.pb.h"

namespace slipway::dispatcher {

// Follows the event log of another service on a thread of its own, from where it was left, and
// connects again when the service was away.
class LogFollower final {
 public:
  struct Options {
    std::string service;  // For the log: "ledger".
    std::vector<std::string> kinds;
    std::string cursor;  // Empty: from the oldest event.
    // Called with events, in order, and the cursor behind them.
    std::function<void(const events::v1::WatchResponse& response)> apply;
  };

  LogFollower(const std::shared_ptr<grpc::Channel>& channel, Options options);
  ~LogFollower() { Stop(); }

  // Idempotent.
  void Stop();

 private:
  void Loop();
  absl::Status Follow(grpc::ClientContext& context);

  const std::unique_ptr<events::v1::EventLogService::Stub> stub_;
  const Options options_;
  std::string cursor_;  // Of the thread.
  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::thread thread_;
};

}  // namespace slipway::dispatcher
