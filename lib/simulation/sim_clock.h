#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "lib/base/clock.h"

namespace slipway::simulation {

// Time that moves when the simulation says so, forwards or, on the wall, back. Timers run in
// Advance. Not thread-safe. Outlives its timers.
//
// `elapsed_by_wall` makes it the broken clock of a mutant: steps of the wall count as time that
// passed.
class SimClock final : public base::Clock {
 public:
  explicit SimClock(absl::Time start, bool elapsed_by_wall = false)
      : now_(start), elapsed_by_wall_(elapsed_by_wall) {}

  absl::Time Now() const override { return now_; }
  absl::Duration Elapsed() const override { return elapsed_; }

  std::unique_ptr<base::Timer> RunAfter(absl::Duration delay,
                                        absl::AnyInvocable<void()> call) override {
    const Key key(elapsed_ + delay, next_++);
    calls_[key] = std::move(call);
    return std::make_unique<Entry>(*this, key);
  }

  void StepWall(absl::Duration by) {
    now_ += by;
    if (elapsed_by_wall_) elapsed_ += std::max(by, absl::ZeroDuration());
  }

  // What really passed.
  absl::Duration true_elapsed() const { return true_elapsed_; }

  // Moves both clocks and runs what is due; returns how many ran.
  int Advance(absl::Duration by) {
    now_ += by;
    elapsed_ += by;
    true_elapsed_ += by;
    int ran = 0;
    while (!calls_.empty() && calls_.begin()->first.first <= elapsed_) {
      absl::AnyInvocable<void()> call = std::move(calls_.begin()->second);
      calls_.erase(calls_.begin());
      call();
      ++ran;
    }
    return ran;
  }

 private:
  using Key = std::pair<absl::Duration, uint64_t>;

  class Entry final : public base::Timer {
   public:
    Entry(SimClock& clock, Key key) : clock_(clock), key_(key) {}
    ~Entry() override { clock_.calls_.erase(key_); }

   private:
    SimClock& clock_;
    const Key key_;
  };

  absl::Time now_;
  const bool elapsed_by_wall_;
  absl::Duration elapsed_;
  absl::Duration true_elapsed_;
  uint64_t next_ = 1;
  std::map<Key, absl::AnyInvocable<void()>> calls_;
};

}  // namespace slipway::simulation
