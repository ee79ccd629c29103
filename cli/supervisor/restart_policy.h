#pragma once

#include "absl/time/time.h"

namespace slipway::cli {

// When a program that ended is started again: at once after a good run, then after 100 ms, doubled
// each time up to 5 s, until it has run for 10 s. Not thread-safe.
class RestartPolicy final {
 public:
  static constexpr absl::Duration kFirstDelay = absl::Milliseconds(100);
  static constexpr absl::Duration kDelayMax = absl::Seconds(5);
  static constexpr absl::Duration kGoodRun = absl::Seconds(10);
  static constexpr int kLoopLength = 5;  // So many short runs in a row are a crash loop.

  // The program ended after running for `ran`; how long to wait before it is started again.
  absl::Duration DelayAfter(absl::Duration ran);

  // How many short runs there were in a row.
  int short_runs() const { return short_runs_; }

  // True once in each crash loop: the moment to tell somebody.
  bool LoopBegan() const { return short_runs_ == kLoopLength; }

 private:
  int short_runs_ = 0;
};

}  // namespace slipway::cli
