#pragma once

#include <algorithm>
#include <vector>

#include "absl/time/time.h"
#include "services/dispatcher/domain/agent_fleet.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/domain/scheduling.h"

namespace slipway::dispatcher {

// How the core behaves, as configured.
struct Settings {
  absl::Duration lease_timeout = absl::Seconds(30);
  absl::Duration beat_interval = absl::Seconds(5);
  absl::Duration backoff_initial = absl::Seconds(5);
  // Without observed activity for so long an attempt is pointed out, and after the grace stopped.
  absl::Duration stall_timeout = absl::Minutes(10);
  absl::Duration stall_grace = kStallGrace;
  // Not configured: simulations break them on purpose.
  int same_failures_max = kSameFailuresMax;
  int poison_deaths_max = kPoisonDeathsMax;
  int poison_hosts_max = kPoisonHostsMax;
  std::vector<HostSettings> hosts;
  SchedulingSettings scheduling;
};

// Agents that hold nothing need not be heard often: one that vanishes loses nothing, and the first
// beat of a grant follows it at once.
inline absl::Duration IdleBeatInterval(const Settings& settings) {
  return std::max(settings.beat_interval, settings.lease_timeout / 3);
}

// By what the grants of a dispatcher with these settings are to be judged.
inline GrantRules RulesOf(const Settings& settings) {
  GrantRules rules{.scheduling = settings.scheduling};
  for (const HostSettings& host : settings.hosts) rules.host_slots[host.name] = host.slots;
  return rules;
}

}  // namespace slipway::dispatcher
