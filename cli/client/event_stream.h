#pragma once

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/client/connection.h"
#include "lib/base/mutex.h"

namespace slipway::cli {

// The events of a suite as they happen. When the gateway goes away it connects again and goes on
// after the last event, so nothing is missed; an event may come twice around such a break. Stops
// reading while the reader is kEventsMax behind. Next is for one thread.
class EventStream final {
 public:
  struct Options {
    events::v1::EventFilter filter;
    bool only_new = false;     // Without those that happened before.
    std::string resume_token;  // Where to go on; empty means the beginning.
  };

  EventStream(Connection& connection, Options options);
  ~EventStream();

  // The next events in order, at most 500; none when `timeout` passed first. Errors that do not
  // pass by themselves (RESUME_TOKEN_INVALID, TOKEN_INVALID, ...) end the stream.
  absl::StatusOr<std::vector<events::v1::Event>> Next(absl::Duration timeout);

  // Follows the events that Next has returned.
  std::string resume_token() const;

 private:
  static constexpr size_t kEventsMax = 10'000;  // Some megabytes.

  void Follow();
  absl::Status ReadOnce();
  bool Add(events::v1::WatchResponse& response);
  bool WaitBeforeReconnect(absl::Duration delay);

  Connection& connection_;
  const Options options_;

  mutable base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<events::v1::WatchResponse> pending_ ABSL_GUARDED_BY(mutex_);
  size_t pending_events_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string read_token_ ABSL_GUARDED_BY(mutex_);      // After all of pending_.
  std::string returned_token_ ABSL_GUARDED_BY(mutex_);  // After what Next returned.
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;  // Of the call under way.

  std::thread thread_;
};

}  // namespace slipway::cli
