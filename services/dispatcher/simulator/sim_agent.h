#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/dispatcher/domain/agent_session.h"
#include "services/dispatcher/domain/agent_tokens.h"
#include "services/dispatcher/domain/attempt.h"
#include "services/dispatcher/simulator/world.h"

namespace slipway::dispatcher::simulator {

// The title of tasks that agents die of.
inline constexpr char kPoisonTitle[] = "Poison";

// An agent as the protocol has it: dials, says what it holds, takes grants, beats, works only while
// its own clock says that its lease lasts, hands results in until it has a receipt. It can be
// stopped like a process, cut off, and killed. Made as a shared_ptr.
class SimAgent final : public std::enable_shared_from_this<SimAgent> {
 public:
  struct Options {
    std::string id;
    std::string host;
    bool process = false;  // A child of the dispatcher.
    int64_t boot_nonce = 1;
  };

  SimAgent(Options options, World& world) : options_(std::move(options)), world_(world) {}

  const Options& options() const { return options_; }

  // Does what is due.
  void Tick();

  void Pause(absl::Duration until) { paused_until_ = until; }  // SIGSTOP, then CONT.
  void CutOff(absl::Duration until) { cut_until_ = until; }    // Messages vanish both ways.
  void LoseConnection();
  void Die() { dead_ = true; }
  // Comes back with nothing.
  void Reboot();

  bool dead() const { return dead_; }
  // What it works on at this moment, as it believes that it may.
  std::optional<AttemptKey> working_on() const;
  bool served() const { return served_ > 0; }

  // From the dispatcher, for one connection.
  void OnOrder(int64_t connection, AgentOrder order);
  void OnEnd(int64_t connection, absl::Status status);

 private:
  struct Held {
    AttemptKey key;
    bool works = true;
    EvidenceResult evidence;  // What to answer when it validates.
    absl::Duration lease_end;
    absl::Duration work_left;
    bool fenced = false;
    bool stalls = false;  // Lives, and does nothing.
    bool kills = false;   // Whoever works on it dies.
    int64_t activity = 0;
    std::optional<AttemptResult> result;
    absl::Duration next_submit;
    int submits = 0;
  };
  class Link;

  bool IsCut() const { return world_.clock.true_elapsed() < cut_until_; }
  void Dial();
  void Beat();
  void Handle(const AgentOrder& order);
  void Take(const GrantOffer& offer);
  void Obey(const GrantVerdict& verdict, absl::Duration sent);
  void Work(absl::Duration passed);
  AttemptResult MakeResult();
  void Submit();
  void OnReceipt(const AttemptKey& key);
  absl::Duration Margin() const { return std::min(lease_timeout_ / 6, absl::Seconds(5)); }
  // Runs `say` with the dispatcher on the present connection, in order; perhaps never.
  void Tell(std::function<void(Dispatcher&, const std::shared_ptr<AgentSession>&)> say);

  Options options_;
  World& world_;
  bool dead_ = false;
  absl::Duration paused_until_;
  absl::Duration cut_until_;
  bool was_paused_ = false;
  absl::Duration last_tick_;

  int64_t connection_ = 0;
  std::shared_ptr<Link> link_;  // Null while it is not connected.
  bool welcomed_ = false;
  absl::Duration dial_time_;
  absl::Duration hello_sent_;
  absl::Duration confirmed_;
  absl::Duration next_beat_;
  absl::Duration last_told_;
  absl::Duration beat_interval_ = absl::Seconds(5);
  absl::Duration idle_beat_interval_ = absl::Seconds(5);
  absl::Duration lease_timeout_ = absl::Seconds(30);
  int64_t sequence_ = 0;
  int64_t told_activity_ = 0;
  std::map<int64_t, absl::Duration> beats_;
  std::deque<std::pair<int64_t, AgentOrder>> inbox_;
  std::optional<Held> held_;
  int served_ = 0;
};

}  // namespace slipway::dispatcher::simulator
