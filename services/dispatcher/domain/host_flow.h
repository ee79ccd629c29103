#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "services/dispatcher/domain/agent_fleet.h"
#include "services/dispatcher/domain/agent_roster.h"
#include "services/dispatcher/domain/board.h"
#include "services/dispatcher/domain/outbox.h"
#include "services/dispatcher/domain/settings.h"
#include "services/dispatcher/domain/task_flow.h"

namespace slipway::dispatcher {

// Hosts and how many agents each has: starts them for work that nobody serves, lets those go that
// wait in vain, and does what people decide about a host. An agent of a container is stored as an
// intent before it is started, and until it is known to be gone. Used by the core's thread.
class HostFlow final {
 public:
  struct Collaborators {
    Board& board;
    TaskFlow& tasks;
    AgentRoster& roster;
    Outbox& outbox;
    AgentFleet& fleet;
    base::Clock& clock;
    base::IdGenerator& ids;
    const Settings& settings;
  };

  explicit HostFlow(Collaborators with);

  // After the board was restored, and before agents can dial: `intents` are adopted by the fleet.
  // Those of hosts that are not configured any more are forgotten.
  void Restore(const std::vector<StartIntent>& intents, const std::vector<HostOrder>& orders);

  // Asks for agents for `unserved` pieces of work and for the warm ones of each host.
  void Scale(int unserved);

  // Drains that are due, and agents that waited too long.
  void CheckHosts();

  // The dispatcher stops: containers without an attempt are not kept for the next one.
  void ReleaseIdle();

  // Its attempt is the affair of GrantFlow.
  void OnAgentExited(const std::string& agent);
  void OnHostReach(const std::string& host, const std::string& problem);

  // `wanted` and `waiting` rise at once and fall when they were lower for kWantedHold.
  std::vector<HostStatus> List() const;

  // All fail with HOST_UNKNOWN and may be repeated. A drain takes back what runs on the host
  // after `patience`; infinite: it may end. Cordoning a host that is drained ends the drain.
  absl::StatusOr<HostStatus> Cordon(const std::string& host, const std::string& reason,
                                    const std::string& actor);
  absl::StatusOr<HostStatus> Uncordon(const std::string& host, const std::string& actor);
  absl::StatusOr<HostStatus> Drain(const std::string& host, absl::Duration patience,
                                   const std::string& reason, const std::string& actor);

 private:
  absl::StatusOr<HostStatus> Decide(HostOrder order);
  void NoteOrder(const HostOrder& order);
  absl::Duration StartTimeout(const std::string& host) const;
  void LetGo(Agent& agent, const std::string& why);
  void TakeBack(const std::string& host);

  Board& board_;
  TaskFlow& tasks_;
  AgentRoster& roster_;
  Outbox& outbox_;
  AgentFleet& fleet_;
  base::Clock& clock_;
  base::IdGenerator& ids_;
  const Settings& settings_;
  std::set<std::string> intents_;                     // Agents with a stored one.
  std::map<std::string, absl::Duration> idle_since_;  // By agent.
  // When attempts are taken back, by host and the monotonic clock: the other may be set meanwhile.
  std::map<std::string, absl::Duration> drains_due_;

  // A number that rises at once and falls when it was lower all the while.
  struct HeldNumber {
    int value = 0;
    int highest = 0;  // Since `lower_since`.
    absl::Duration lower_since = absl::InfiniteDuration();

    void Note(int now_value, absl::Duration now);
  };
  struct Demand {
    HeldNumber wanted;
    HeldNumber waiting;
  };
  void NoteDemand(int unserved, absl::Duration now);
  std::map<std::string, Demand> demand_;  // By host.
};

}  // namespace slipway::dispatcher
