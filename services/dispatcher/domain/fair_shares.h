#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "services/dispatcher/domain/keys.h"
#include "services/dispatcher/domain/scheduling.h"

namespace slipway::dispatcher {

// What projects have used of slots and money, as virtual time: a second of a slot, and a dollar as
// the slot time that it is worth, divided by the project's weight. Over any time in which projects
// all have work, what they use is in the ratio of their weights when the one with the least virtual
// time is always next.
//
// An attempt is charged kProvisional when it begins, so that a burst of grants counts at once, and
// what it really took when that is more, or when it has ended. A project that had no work for a
// while goes on where the others are: time in which it asked for nothing is no credit. Used by the
// core's thread; times are the monotonic clock's.
class FairShares final {
 public:
  static constexpr absl::Duration kProvisional = absl::Minutes(1);

  // How far a bill takes a project ahead of the one that has used least: beyond it nobody
  // remembers, so that no bill, nor a ledger's log that is read again, keeps a project waiting for
  // longer.
  static constexpr absl::Duration kLeadMax = absl::Hours(24);

  explicit FairShares(const SchedulingSettings& settings) : settings_(settings) {}

  // As stored. Until EndRestore nobody that becomes active is moved up to the others: they were
  // active before.
  void Restore(const std::vector<ProjectUsage>& usage);
  void EndRestore() { restoring_ = false; }

  // Whether the project has anything that runs or waits.
  void SetActive(const std::string& project, bool active);

  // An attempt of an active project took a slot at `start`, or left it. Neither twice.
  void Begin(const AttemptKey& attempt, absl::Duration start);
  void End(const AttemptKey& attempt, absl::Duration now);

  // Charges attempts that have taken longer than they were charged for. Costs as much as there are
  // attempts; seldom is enough, as End charges the rest.
  void Accrue(absl::Duration now);

  void AddCost(const std::string& project, int64_t cost_usd_nanos);

  // By which projects have their turns: the least first.
  absl::Duration VirtualTime(const std::string& project) const;

  // Of attempts that ended and of those that run, as of the last Accrue.
  std::vector<ProjectUsage> Totals() const;

  // What has to be stored since the last call.
  std::vector<ProjectUsage> TakeChanged();

 private:
  struct Account {
    int weight = 1;
    bool active = false;
    absl::Duration settled;       // Virtual: of attempts that ended, and money.
    absl::Duration running;       // Virtual: of attempts that run, as far as they have been seen.
    absl::Duration reserved;      // Virtual: what those were charged beyond it.
    absl::Duration slot_time;     // Of attempts that ended.
    absl::Duration running_time;  // Of attempts that run.
    int64_t cost_usd_nanos = 0;

    absl::Duration used() const { return settled + running; }
  };
  struct Charge {
    std::string project;
    absl::Duration start;
    absl::Duration seen;
    absl::Duration running;   // Virtual, as added to the account.
    absl::Duration reserved;  // Likewise.
  };

  Account& AccountOf(const std::string& project);
  void Bring(Account& account, const std::string& project, Charge& charge, absl::Duration elapsed);
  // Keeps active_ in order when `change` changes what the account has used.
  template <typename Change>
  void Update(Account& account, const std::string& project, Change change);

  const SchedulingSettings& settings_;
  std::map<std::string, Account> accounts_;
  std::map<AttemptKey, Charge> charges_;
  std::set<std::pair<absl::Duration, std::string>> active_;  // By what they have used.
  absl::Duration floor_;  // What the least active project had used when there was one last.
  std::set<std::string> changed_;
  bool restoring_ = false;
};

}  // namespace slipway::dispatcher
