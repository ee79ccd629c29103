#pragma once

#include <functional>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace slipway::agent {

// The right to work on one grant, on this process's own monotonic clock: it ends a margin before
// the dispatcher may give the work to somebody else, so that two never work on one task.
//
// A lapse is not final: an answer that says "keep" restores the right. Thread-safe.
class Lease final {
 public:
  enum class State {
    kHeld,
    kLapsed,   // No answer for too long: do nothing until one comes.
    kStopped,  // For good.
  };
  enum class Cause {
    kFenced,  // The dispatcher gave the work up.
    kTold,    // This process was asked to end.
  };

  // `changed` is called after each renewal and stop, outside the lock; it must not block.
  Lease(base::Clock& clock, std::function<void()> changed)
      : clock_(clock), changed_(std::move(changed)) {}

  // The dispatcher confirmed the grant in answer to a message sent at `sent` (Clock::Elapsed).
  // Never shortens the lease, and does nothing after Stop.
  void Renew(absl::Duration sent, absl::Duration lease_timeout);

  // The first cause counts.
  void Stop(Cause cause);

  State state() const;
  std::optional<Cause> stop_cause() const;
  // Until it lapses; zero or less when it has.
  absl::Duration time_left() const;

  // What the holder keeps as distance to the dispatcher's own expiry.
  static absl::Duration Margin(absl::Duration lease_timeout);

 private:
  base::Clock& clock_;
  const std::function<void()> changed_;
  mutable base::Mutex mutex_;
  absl::Duration end_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  std::optional<Cause> stopped_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::agent
