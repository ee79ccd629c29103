#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/executor.h"
#include "lib/base/mutex.h"
#include "lib/events/event_log.h"
#include "lib/rpc/call_record.h"
#include "slipway/events/v1/event_log.pb.h"

namespace slipway::events {

// One Watch stream: a loop over the log by cursor, not a queue, so a slow reader costs nothing but
// its own place. Holds itself until gRPC is done with it.
//
// One owner at a time drives it: a job that reads the log, a write in flight or, while parked,
// whoever wakes it. Only the owner touches the cursor and the response, and only the owner
// finishes the RPC, so that happens exactly once.
class WatchReactor final : public grpc::ServerWriteReactor<v1::WatchResponse>,
                           public std::enable_shared_from_this<WatchReactor> {
 public:
  // What all streams of a service share. The collaborators must outlive the RPCs; only the host
  // itself is touched thereafter, by a wake that was under way when its RPC ended.
  struct Host {
    Host(EventLog& log, base::Executor& executor, base::Clock& clock)
        : log(log), executor(executor), clock(clock) {}

    EventLog& log;
    base::Executor& executor;
    base::Clock& clock;
    std::atomic<bool> stopping = false;  // Set, then wake: ends the streams with SHUTTING_DOWN.
    std::atomic<int> streams = 0;
  };

  // Starts a stream that deletes itself.
  static WatchReactor* Start(std::shared_ptr<Host> host, const grpc::CallbackServerContext& context,
                             const v1::WatchRequest& request);

  ~WatchReactor() override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { self_.reset(); }

 private:
  enum class State { kBusy, kBusyAndWoken, kParked };

  WatchReactor(std::shared_ptr<Host> host, const grpc::CallbackServerContext& context,
               const v1::WatchRequest& request);

  void Wake();
  void Advance();
  void Step();
  absl::Status Begin();
  void Park();
  void ArmTimer();
  void Send(const Page& page);
  void End(const absl::Status& status);
  bool Exchange(State from, State to, State otherwise);

  const std::shared_ptr<Host> host_;
  const grpc::CallbackServerContext& context_;
  const v1::WatchRequest request_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  rpc::CallRecord record_;
  std::shared_ptr<WatchReactor> self_;

  base::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kBusy;

  // Of the owner.
  bool begun_ = false;
  EventFilter filter_;
  int64_t cursor_ = 0;
  int64_t skipped_ = 0;                      // Events left out since the last response.
  std::optional<absl::Duration> last_sent_;  // By Clock::Elapsed.
  v1::WatchResponse response_;
  std::unique_ptr<base::Timer> timer_;
  std::atomic<bool> timer_fired_ = false;
  Subscription appends_;
};

}  // namespace slipway::events
