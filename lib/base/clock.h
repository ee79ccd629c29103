#pragma once

#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace slipway::base {

// A pending call; destroying it cancels the call. When destruction returns, the call is either
// finished, never to happen, or running on the very thread that destroys the timer.
class Timer {
 public:
  virtual ~Timer() = default;
};

// Time as a collaborator, so that tests decide what time it is. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Wall time: for records and people. May jump in both directions.
  virtual absl::Time Now() const = 0;

  // Time since some fixed moment; never goes back, does not follow wall-clock changes. For leases,
  // deadlines and measured durations.
  virtual absl::Duration Elapsed() const = 0;

  // Calls `call` once after `delay`, on a thread of the clock. `call` must not block.
  [[nodiscard]] virtual std::unique_ptr<Timer> RunAfter(absl::Duration delay,
                                                        absl::AnyInvocable<void()> call) = 0;
};

// The machine's clock; lives as long as the process.
Clock& RealClock();

}  // namespace slipway::base
