#pragma once

#include <vector>

#include "absl/time/time.h"
#include "services/dispatcher/domain/agent_fleet.h"

namespace slipway::dispatcher {

// How the core behaves, as configured.
struct Settings {
  absl::Duration lease_timeout = absl::Seconds(30);
  absl::Duration beat_interval = absl::Seconds(5);
  absl::Duration backoff_initial = absl::Seconds(5);
  std::vector<HostSettings> hosts;
};

}  // namespace slipway::dispatcher
