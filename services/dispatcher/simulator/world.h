#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "lib/faultdisk/random.h"
#include "lib/simulation/campaign.h"
#include "lib/simulation/sim_clock.h"
#include "services/dispatcher/domain/attempt.h"
#include "services/dispatcher/domain/dispatcher.h"
#include "services/dispatcher/domain/task_store.h"
#include "services/dispatcher/simulator/failpoint.h"

namespace slipway::dispatcher::simulator {

// What is broken on purpose, to prove that it would be found.
enum class Mutant {
  kNone,
  kSyncsLie,           // The disk acknowledges a sync that it has not done.
  kReplyBeforeCommit,  // Agents get their receipts before the result is on disk.
  kNoEpochCheck,       // A result counts for whatever attempt holds the task.
  kLeaseByWallClock,   // Leases end by a clock that can be stepped.
  kAgentNeverFences,   // Agents work on when nobody answers them.
  kLostAtRestart,      // A restart forgets who works.
  kEpochSetBack,       // A restart forgets the newest epoch.
  kDependencyIgnored,  // A restart lets blocked tasks run.
  kMergedTwice,        // The branch takes a task again.
  kKeysNeverRevoked,   // Keys stay open and nobody tries again.
  kLimitsIgnored,      // Plans and credentials have as many attempts as there are agents.
  kNoAging,            // Waiting is worth nothing.
  kBlindRetry,         // The same failure is tried again as often as retries last.
  kPoisonIgnored,      // A task that agents die of is given to the next.
  kImpatient,          // Agents that work are stopped as if they had stalled.
};
inline constexpr int kMutantCount = 16;
const char* NameOf(Mutant mutant);

using simulation::Coverage;

// How the dispatcher is configured. Without a mutant: by what its grants are judged.
Settings SettingsOf(Mutant mutant);
GrantRules TheRules();

// What everything in a simulation shares: time, chance, the network, and the dispatcher that runs
// now, if one does. Not thread-safe.
struct World {
  World(uint64_t seed, Mutant broken)
      : random(seed),
        clock(absl::FromUnixSeconds(1'800'000'000), broken == Mutant::kLeaseByWallClock),
        mutant(broken) {}

  faultdisk::Random random;
  simulation::SimClock clock;
  const Mutant mutant;
  Coverage coverage;
  std::string breach;  // The first that somebody but the audit saw.

  Dispatcher* dispatcher = nullptr;  // Null while it is down.
  TaskStore* store = nullptr;
  int64_t incarnation = 0;  // Of the dispatcher.
  bool calm = false;        // No more faults: everything has to come to its end.

  // In place of chance, one fault; see failpoint.h.
  std::optional<Failpoint> failpoint;
  int64_t boundaries = 0;     // That were passed.
  bool kill_wanted = false;   // The dispatcher ends as soon as it can.
  bool nobody_hears = false;  // What the dispatcher says is lost: it ends.

  // What the dispatcher was really told of an attempt last, and its receipts.
  struct Heard {
    absl::Duration last = -absl::InfiniteDuration();
    absl::Duration before = -absl::InfiniteDuration();
  };
  std::map<AttemptKey, Heard> heard;
  std::map<AttemptKey, Heard> active;  // The same, of what showed activity.
  std::map<AttemptKey, Receipt> receipts;
  std::set<AttemptKey> offered;  // To an agent, that heard of it.
  std::map<TaskKey, int64_t> newest_epoch;

  void Count(const std::string& what) { ++coverage[what]; }
  void NoteHeard(const AttemptKey& key) { Note(heard[key]); }
  void NoteActive(const AttemptKey& key) { Note(active[key]); }
  void Note(Heard& of) const {
    if (of.last == clock.true_elapsed()) return;
    of.before = std::exchange(of.last, clock.true_elapsed());
  }
  // What an agent is told of its result.
  void NoteReceipt(const AttemptKey& key, Receipt receipt) {
    Count(receipt == Receipt::kAccepted ? "results accepted" : "results stale");
    if (receipts.emplace(key, receipt).first->second == receipt) return;
    Breach(absl::StrCat("the result of ", key.Name(), " got two different receipts"));
  }
  void Breach(const std::string& what) {
    if (breach.empty()) breach = what;
  }
  bool Chance(uint64_t percent) {
    return !calm && !failpoint.has_value() && random.Percent(percent);
  }

  // What comes at the boundary that is passed now.
  std::optional<FailpointFault> Pass(Boundary boundary) {
    if (calm || !failpoint.has_value() || ++boundaries != failpoint->at) return std::nullopt;
    Count(absl::StrCat(NameOf(failpoint->fault), " at a ", NameOf(boundary)));
    if (failpoint->fault == FailpointFault::kKill) kill_wanted = true;
    return failpoint->fault;
  }

  absl::Duration AnyDelay() {
    const bool slow = Chance(3);
    return absl::Milliseconds(random.Between(1, slow ? 9'000 : 400));
  }

  // Runs `arrive` at `time` (true_elapsed), after what was sent for the same moment before.
  void At(absl::Duration time, std::function<void()> arrive) {
    network.emplace(std::make_pair(time, next_message++), std::move(arrive));
  }

  // Runs `arrive` some time from now; perhaps twice, perhaps never.
  void Send(const std::function<void()>& arrive) {
    if (Chance(4)) return Count("messages lost");
    At(clock.true_elapsed() + AnyDelay(), arrive);
    if (!Chance(4)) return;
    Count("messages duplicated");
    At(clock.true_elapsed() + AnyDelay(), arrive);
  }

  void Deliver() {
    while (!network.empty() && network.begin()->first.first <= clock.true_elapsed()) {
      const std::function<void()> arrive = std::move(network.begin()->second);
      network.erase(network.begin());
      arrive();
    }
  }

  std::map<std::pair<absl::Duration, int64_t>, std::function<void()>> network;
  int64_t next_message = 0;
};

}  // namespace slipway::dispatcher::simulator
