#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/dispatcher/domain/agent_fleet.h"
#include "services/dispatcher/domain/agent_session.h"
#include "services/dispatcher/domain/keys.h"
#include "services/dispatcher/domain/settings.h"

namespace slipway::dispatcher {

enum class AgentState {
  kStarting,  // Started by the fleet, has not said hello.
  kIdle,      // Waits for a grant.
  kBusy,      // Has an attempt.
  kSpent,     // Its attempt ended; not known to wait for another one.
};

struct Agent {
  std::string id;
  std::string host;
  bool process = false;
  AgentState state = AgentState::kStarting;
  int64_t boot_nonce = 0;
  std::shared_ptr<AgentSession> session;  // Null while it is not connected.
  std::optional<AttemptKey> attempt;
  absl::Duration start_deadline;  // While it starts.
};

// Agents and hosts, in memory only. Used by the core's thread.
class AgentRoster final {
 public:
  explicit AgentRoster(const Settings& settings);

  Agent* Find(const std::string& id);
  Agent& Add(Agent agent);
  void Remove(const std::string& id);
  Agent* FindIdle();
  Agent* FindBySession(const AgentSession* session);
  std::vector<std::string> Overdue(absl::Duration elapsed) const;

  bool HasHost(const std::string& host) const { return hosts_.count(host) > 0; }
  bool IsProcessHost(const std::string& host) const;

  // On which hosts to start agents now so that `unserved` pieces of work and each host's warm
  // agents are served, within slots and backoffs: a host's name once for each agent.
  std::vector<std::string> HostsToStartOn(int unserved, absl::Duration elapsed) const;

  void NoteStarted(const std::string& host);
  void NoteStartFailed(const std::string& host, const std::string& problem, absl::Duration elapsed);

  std::vector<HostStatus> Statuses() const;

 private:
  struct Host {
    HostSettings settings;
    std::string problem;
    int failures = 0;
    absl::Duration not_before = absl::ZeroDuration();
  };

  std::map<std::string, Host> hosts_;
  std::map<std::string, Agent> agents_;
};

}  // namespace slipway::dispatcher
