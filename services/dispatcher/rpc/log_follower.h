#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "slipway/events/v1/event_log.grpc.pb.h"

namespace slipway::dispatcher {

// Follows the event log of another service from where it was left, and connects again when the
// service was away. On gRPC's threads: one that blocked on the stream would poll for all of the
// process, and be woken by every message that comes to it.
class LogFollower final {
 public:
  struct Options {
    std::string service;  // For the log: "ledger".
    std::vector<std::string> kinds;
    std::string cursor;  // Empty: from the oldest event.
    // Called with events, in order, and the cursor behind them. Must not block.
    std::function<void(const events::v1::WatchResponse& response)> apply;
  };

  LogFollower(const std::shared_ptr<grpc::Channel>& channel, Options options, base::Clock& clock);
  ~LogFollower();

  // After it nothing is applied. Idempotent.
  void Stop();

 private:
  class Stream;

  void Connect();
  void Apply(const events::v1::WatchResponse& response);
  void OnEnd(const absl::Status& status);

  const std::unique_ptr<events::v1::EventLogService::Stub> stub_;
  const Options options_;
  base::Clock& clock_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::string cursor_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Stream> stream_ ABSL_GUARDED_BY(mutex_);  // Null between two streams.
  std::unique_ptr<base::Timer> timer_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::dispatcher
