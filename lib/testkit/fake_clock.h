#pragma once

#include <map>
#include <memory>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace slipway::testkit {

// Time that moves only when a test says so. Timers fire, in order of time, on the thread that
// advances it. Thread-safe. Must outlive its timers.
class FakeClock final : public base::Clock {
 public:
  explicit FakeClock(absl::Time start = absl::FromUnixSeconds(1'800'000'000)) : now_(start) {}

  absl::Time Now() const override;
  absl::Duration Elapsed() const override;
  std::unique_ptr<base::Timer> RunAfter(absl::Duration delay,
                                        absl::AnyInvocable<void()> call) override;

  // Moves both clocks forward and fires what becomes due.
  void Advance(absl::Duration by);

  // Moves the wall clock only, as an operator or NTP would.
  void StepWall(absl::Duration by);

  // How many timers wait.
  size_t pending_timers() const;

 private:
  class FakeTimer;
  using Key = std::pair<absl::Duration, uint64_t>;

  mutable base::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
  absl::Duration elapsed_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<Key, absl::AnyInvocable<void()>> pending_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::testkit
