#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/simulation/sim_clock.h"
#include "services/dispatcher/domain/dispatcher.h"
#include "services/dispatcher/domain/history_walk.h"
#include "services/dispatcher/simulator/memory_store.h"
#include "services/dispatcher/simulator/world.h"

namespace slipway::dispatcher::simulator {

// The real core between two agents and services whose every step is chosen from outside: which
// message arrives, is lost, or is answered by an error though it was carried out; when the clock
// moves on, when a connection breaks, an agent starts anew, or the dispatcher is killed, also
// between a decision and its commit. Streams keep their order, calls do not. Equal choices give
// equal worlds.
class SmallWorld final {
 public:
  struct Options {
    int tasks = 1;  // The second depends on the first.
    int agents = 2;
    int faults = 1;   // Losses, broken connections, agents that start anew.
    int crashes = 1;  // Of the dispatcher.
    int ticks = 4;    // Of ten seconds: a lease is three, an offer one.
    int gaps = 1;     // Reviews that want another attempt.
    Mutant mutant = Mutant::kNone;
  };

  explicit SmallWorld(const Options& options);
  ~SmallWorld();

  // What can happen now, in a fixed order. Carried out by its index.
  std::vector<std::string> Choices();
  void Choose(size_t index);

  // The first invariant that does not hold; empty while all do.
  const std::string& breach() const { return breach_; }

  // Everything that decides what can follow.
  std::string Describe() const;

  // Lets everything arrive and agents do their work until the run has ended and its keys are
  // closed; a breach when that does not come.
  void Complete();

 private:
  class Link;
  class Services;
  friend class Services;

  enum class Fate { kArrives, kLost, kToldFailed, kArrivesThenKill, kGaps };
  // A call, or the next message of a stream.
  struct Message {
    std::string label;
    int stream = -1;       // Twice the agent's number, plus one towards it; -1: a call.
    bool is_open = false;  // Somebody waits for the answer.
    bool judges = false;
    std::function<void(Fate)> arrive;
    std::function<void()> orphan;  // Carries out a call whose caller is gone.
  };
  struct Agent {
    std::string id;
    int number = 0;
    int64_t boot = 1;
    std::shared_ptr<AgentSession> link;  // Null while it is not connected.
    std::optional<AttemptKey> held;
    std::optional<AttemptKey> late;  // Was told to stop, and has a result all the same.
    bool submitting = false;
    int64_t beats = 0;
  };
  struct Choice {
    std::string label;
    std::function<void()> act;
  };

  std::vector<Choice> ChoicesNow();
  void AddMessageChoices(size_t index, std::vector<Choice>& choices);
  void AddAgentChoices(Agent& agent, std::vector<Choice>& choices);
  void Arrive(size_t index, Fate fate);
  void Start();
  void Kill();
  void RunQueues();
  void Check();
  void CheckTables();
  bool KeysEnded() const;
  void Breach(const std::string& what);

  void Dial(Agent& agent);
  void Disconnect(Agent& agent, bool tell);
  void HandleOrder(Agent& agent, const AgentOrder& order);
  void Obey(Agent& agent, const GrantVerdict& verdict);
  void SendBeat(Agent& agent);
  void Submit(Agent& agent, const AttemptKey& key);
  void FromAgent(Agent& agent, std::string label, std::function<void()> arrive);

  const Options options_;
  slipway::simulation::SimClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  MemoryStore store_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<base::IdGenerator> ids_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::vector<Agent> agents_;
  std::vector<Message> in_flight_;
  std::map<AttemptKey, Receipt> receipts_;
  int faults_left_, crashes_left_, ticks_left_, gaps_left_;

  AuditReport report_;
  std::unique_ptr<HistoryWalk> walk_;
  size_t walked_ = 0;
  std::string breach_;
};

}  // namespace slipway::dispatcher::simulator
