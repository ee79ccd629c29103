#pragma once

#include <vector>

#include "absl/time/time.h"
#include "services/dispatcher/domain/agent_fleet.h"
#include "services/dispatcher/domain/scheduling.h"

namespace slipway::dispatcher {

// How the core behaves, as configured.
struct Settings {
  absl::Duration lease_timeout = absl::Seconds(30);
  absl::Duration beat_interval = absl::Seconds(5);
  absl::Duration backoff_initial = absl::Seconds(5);
  std::vector<HostSettings> hosts;
  SchedulingSettings scheduling;
};

// By what the grants of a dispatcher with these settings are to be judged.
inline GrantRules RulesOf(const Settings& settings) {
  GrantRules rules{.scheduling = settings.scheduling};
  for (const HostSettings& host : settings.hosts) rules.host_slots[host.name] = host.slots;
  return rules;
}

}  // namespace slipway::dispatcher
