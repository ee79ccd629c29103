#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace slipway::dispatcher {

// How agents come to a host.
enum class HostDriver {
  kProcess,     // Child processes, which end with the dispatcher.
  kDocker,      // Containers of an engine, which do not.
  kKubernetes,  // Jobs of a cluster, which do not.
  kExternal,    // They dial in by themselves.
};

// Whether agents that such a driver starts live on without the dispatcher.
constexpr bool OutliveDispatcher(HostDriver driver) {
  return driver == HostDriver::kDocker || driver == HostDriver::kKubernetes;
}

// That an agent was asked for: stored before the driver is called, so that a restart knows what may
// be running. Only for agents that outlive the dispatcher.
struct StartIntent {
  std::string agent;
  std::string host;  // hosts/{h}
  std::string token_digest;
  absl::Time create_time;
};

// A driver: starts agents on its hosts and watches them. Never blocks; thread-safe. That an agent
// ended or could not be started is reported to the core, exactly once; afterwards nothing of it
// runs, or what does is found by a sweep and removed.
class AgentFleet {
 public:
  struct Order {
    std::string host;
    std::string agent;
    std::string token;  // That the agent shows to the dispatcher.
  };

  virtual ~AgentFleet() = default;

  virtual void Start(Order order) = 0;

  // The agent is not needed any more: it gets a moment to end by itself, then it is killed.
  virtual void Retire(const std::string& agent) = 0;

  // Called once, before Start and before agents can dial: what an earlier dispatcher started. It
  // is looked after like the rest; whatever else there is of that dispatcher is removed.
  virtual void Adopt(const std::vector<StartIntent>& intents) = 0;
};

// Where agents run, as configured.
struct HostSettings {
  std::string name;  // hosts/{h}
  HostDriver driver = HostDriver::kExternal;
  int slots = 1;
  int warm = 0;
};

// What people decided about a host; stored.
struct HostOrder {
  std::string host;                          // hosts/{h}
  bool cordoned = false;                     // Gets no new work.
  bool draining = false;                     // Is to be without agents; cordoned, too.
  std::optional<absl::Time> drain_deadline;  // When attempts are taken back; absent: they may end.
  std::string reason;
  std::string actor;
  absl::Time time;
};

struct HostStatus {
  std::string name;
  HostDriver driver = HostDriver::kExternal;
  int slots = 0;
  int warm = 0;
  int agents = 0;    // Connected.
  int starting = 0;  // Asked for, not connected.
  int busy = 0;
  int wanted = 0;   // Agents that work, and one for each piece of work that waits, within slots.
  int waiting = 0;  // Pieces of work that wait and that it has slots for.
  HostOrder order;
  bool open = true;  // False while starts wait for the host to recover.
  std::string problem;
};

}  // namespace slipway::dispatcher
