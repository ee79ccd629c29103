#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
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
  AgentState state = AgentState::kStarting;  // Changed by AgentRoster::SetState.
  int64_t boot_nonce = 0;
  std::shared_ptr<AgentSession> session;  // Null while it is not connected. See SetSession.
  std::optional<AttemptKey> attempt;
  absl::Duration start_deadline;                // While it starts.
  absl::Duration heard = absl::ZeroDuration();  // When it last said hello or sent a beat.
};

// Agents and hosts, in memory only. Used by the core's thread.
class AgentRoster final {
 public:
  explicit AgentRoster(const Settings& settings);

  Agent* Find(const std::string& id);
  Agent& Add(Agent agent);
  void Remove(const std::string& id);
  // One that waits on a host that takes work and has fewer attempts, as `attempts_on` says, than
  // slots.
  Agent* FindIdle(absl::FunctionRef<int(const std::string&)> attempts_on);
  void SetState(Agent& agent, AgentState state);
  Agent* FindBySession(const AgentSession* session);
  // Null: it is not connected any more.
  void SetSession(Agent& agent, std::shared_ptr<AgentSession> session);
  std::vector<std::string> Overdue(absl::Duration elapsed) const;

  bool HasHost(const std::string& host) const { return hosts_.count(host) > 0; }
  bool IsProcessHost(const std::string& host) const { return Runs(host, HostDriver::kProcess); }
  bool Runs(const std::string& host, HostDriver driver) const;
  // Of no host that is not configured.
  bool AgentsOutlive(const std::string& host) const;
  const std::map<std::string, Agent>& agents() const { return agents_; }

  // On which hosts to start agents now so that `unserved` pieces of work and each host's warm
  // agents are served, within slots and backoffs: a host's name once for each agent. Work goes to
  // the host with most free slots.
  std::vector<std::string> HostsToStartOn(int unserved, absl::Duration elapsed) const;

  // For how many pieces of work there could be agents: HostsToStartOn could make something of them,
  // or agents could dial in.
  int Startable(absl::Duration elapsed) const;

  // How many agents of a host wait for work beyond its warm ones; for hosts whose agents outlive
  // the dispatcher.
  int Surplus(const std::string& host) const;

  void NoteStarted(const std::string& host);
  void NoteStartFailed(const std::string& host, const std::string& problem, absl::Duration elapsed);
  // The driver cannot reach the host: nothing is started there until it can. Empty: it can.
  void NoteReach(const std::string& host, const std::string& problem);

  // Null when there is no such host.
  const HostOrder* FindOrder(const std::string& host) const;
  void SetOrder(const HostOrder& order);

  std::vector<HostStatus> Statuses(absl::Duration elapsed) const;

 private:
  struct Host {
    HostSettings settings;
    HostOrder order;
    std::string problem;
    std::string unreachable;
    int failures = 0;
    absl::Duration not_before = absl::ZeroDuration();

    bool Starts(absl::Duration elapsed) const {
      return settings.driver != HostDriver::kExternal && !order.cordoned && unreachable.empty() &&
             not_before <= elapsed;
    }
  };
  // How many agents of a host may still be started, and what there is of it.
  struct Room {
    std::string host;
    int free = 0;
    int available = 0;  // Agents that wait, or will.
    int warm = 0;
  };

  // How many agents of a host there are, by what they do.
  struct Counts {
    int present = 0;
    int connected = 0;
    int starting = 0;
    int idle = 0;
    int busy = 0;
  };

  std::vector<Room> Rooms(absl::Duration elapsed) const;
  Counts CountsOf(const std::string& host) const;
  // Adds the agent to the counts of its host, or takes it away.
  void Count(const Agent& agent, int by);

  std::map<std::string, Host> hosts_;
  // By host, also of those that are not configured. Kept, as every decision asks for them.
  std::map<std::string, Counts> counts_;
  std::set<std::string> idle_;  // Agents that wait for a grant, by id.
  std::map<std::string, Agent> agents_;
  std::unordered_map<const AgentSession*, std::string> by_session_;  // Ids of agents.
};

}  // namespace slipway::dispatcher
