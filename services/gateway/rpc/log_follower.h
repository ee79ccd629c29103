#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <utility>

#include "lib/base/mutex.h"
#include "lib/rpc/call.h"
#include "slipway/events/v1/event_log.grpc.pb.h"

namespace slipway::gateway {

// One Watch stream of one log, read one response at a time: the next is asked for only by Next.
// Holds itself until the stream has ended. Thread-safe.
class LogFollower final : public grpc::ClientReadReactor<events::v1::WatchResponse>,
                          public std::enable_shared_from_this<LogFollower> {
 public:
  struct Callbacks {
    // A response came. Then Next or Cancel is owed.
    std::function<void(events::v1::WatchResponse response)> on_response;
    // The stream has ended; the last callback.
    std::function<void(const grpc::Status& status)> on_end;
  };

  static std::shared_ptr<LogFollower> Make(const events::v1::WatchRequest& request,
                                           Callbacks callbacks);

  // Starts the stream for `caller`. Callbacks may come before this returns.
  void Begin(events::v1::EventLogService::Stub& stub, const rpc::Call& caller);

  void Next() { Read(); }

  // Ends the stream; on_end follows. Idempotent.
  void Cancel();

 private:
  LogFollower(const events::v1::WatchRequest& request, Callbacks callbacks)
      : request_(request), callbacks_(std::move(callbacks)) {}

  void Read();
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  const events::v1::WatchRequest request_;
  const Callbacks callbacks_;
  std::shared_ptr<LogFollower> self_;
  grpc::ClientContext context_;
  events::v1::WatchResponse response_;
  base::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
};

}  // namespace slipway::gateway
