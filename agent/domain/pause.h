#pragma once

#include <future>
#include <memory>

#include "absl/time/time.h"

#include "lib/base/clock.h"

namespace slipway::agent {

// Blocks this thread for `duration` of the clock.
inline void Pause(base::Clock& clock, absl::Duration duration) {
  std::promise<void> passed;
  const std::unique_ptr<base::Timer> timer = clock.RunAfter(duration, [&] { passed.set_value(); });
  passed.get_future().wait();
}

}  // namespace slipway::agent
