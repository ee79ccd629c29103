#include "cli/supervisor/restart_policy.h"

#include <algorithm>

namespace slipway::cli {

absl::Duration RestartPolicy::DelayAfter(absl::Duration ran) {
  if (ran >= kGoodRun) short_runs_ = 0;
  ++short_runs_;
  if (short_runs_ == 1) return absl::ZeroDuration();
  const int doublings = std::min(short_runs_ - 2, 10);
  return std::min(kFirstDelay * (1 << doublings), kDelayMax);
}

}  // namespace slipway::cli
