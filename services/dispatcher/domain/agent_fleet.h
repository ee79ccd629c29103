#pragma once

#include <string>

namespace slipway::dispatcher {

// Starts agents on hosts of the process driver. Never blocks; thread-safe. That an agent ended or
// could not be started is reported to the core.
class AgentFleet {
 public:
  virtual ~AgentFleet() = default;

  virtual void Start(const std::string& host, const std::string& agent) = 0;

  // The agent is not needed any more: it gets a moment to end by itself, then it is killed.
  virtual void Retire(const std::string& agent) = 0;
};

// Where agents run, as configured.
struct HostSettings {
  std::string name;  // hosts/{h}
  bool process = false;
  int slots = 1;
  int warm = 0;
};

struct HostStatus {
  std::string name;
  bool process = false;
  int slots = 0;
  int agents = 0;
  int busy = 0;
  std::string problem;
};

}  // namespace slipway::dispatcher
