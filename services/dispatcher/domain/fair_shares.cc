#include "services/dispatcher/domain/fair_shares.h"

#include <algorithm>

namespace slipway::dispatcher {
namespace {

// A whole number of microseconds, so that what was added can be taken away again exactly.
absl::Duration Virtual(absl::Duration charge, int weight) {
  return absl::Microseconds(absl::ToInt64Microseconds(charge) / weight);
}

}  // namespace

FairShares::Account& FairShares::AccountOf(const std::string& project) {
  const auto [found, is_new] = accounts_.try_emplace(project);
  if (is_new) {
    const auto share = settings_.projects.find(project);
    if (share != settings_.projects.end()) found->second.weight = share->second.weight;
  }
  return found->second;
}

template <typename Change>
void FairShares::Update(Account& account, const std::string& project, Change change) {
  if (account.active) active_.erase({account.used(), project});
  change();
  if (account.active) active_.emplace(account.used(), project);
}

void FairShares::Restore(const std::vector<ProjectUsage>& usage) {
  restoring_ = true;
  for (const ProjectUsage& stored : usage) {
    Account& account = AccountOf(stored.project);
    account.settled = stored.virtual_time;
    account.slot_time = stored.slot_time;
    account.cost_usd_nanos = stored.cost_usd_nanos;
    floor_ = std::max(floor_, stored.virtual_time);
  }
}

void FairShares::SetActive(const std::string& project, bool active) {
  Account& account = AccountOf(project);
  if (account.active == active) return;
  if (!active) {
    floor_ = std::max(floor_, active_.begin()->first);
    active_.erase({account.used(), project});
    account.active = false;
    return;
  }
  const absl::Duration least = active_.empty() ? floor_ : active_.begin()->first;
  if (!restoring_ && account.used() < least) {
    account.settled = least - account.running;
    changed_.insert(project);
  }
  account.active = true;
  active_.emplace(account.used(), project);
}

// The attempt has taken `elapsed`: what the account has of it is made to say so.
void FairShares::Bring(Account& account, const std::string& project, Charge& charge,
                       absl::Duration elapsed) {
  Update(account, project, [&] {
    account.running -= charge.running;
    account.reserved -= charge.reserved;
    account.running_time += elapsed - charge.seen;
    charge.seen = elapsed;
    charge.running = Virtual(elapsed, account.weight);
    charge.reserved = Virtual(std::max(elapsed, kProvisional), account.weight) - charge.running;
    account.running += charge.running;
    account.reserved += charge.reserved;
  });
}

void FairShares::Begin(const AttemptKey& attempt, absl::Duration start) {
  const std::string project = ProjectOf(attempt.task.plan);
  Account& account = AccountOf(project);
  Charge& charge = charges_[attempt];
  charge.project = project;
  charge.start = start;
  Bring(account, project, charge, absl::ZeroDuration());
}

void FairShares::End(const AttemptKey& attempt, absl::Duration now) {
  const auto found = charges_.find(attempt);
  if (found == charges_.end()) return;
  Charge& charge = found->second;
  Account& account = AccountOf(charge.project);
  const absl::Duration elapsed = std::max(absl::ZeroDuration(), now - charge.start);
  Bring(account, charge.project, charge, elapsed);
  // What it has used is the same, only settled.
  account.running -= charge.running;
  account.settled += charge.running;
  account.reserved -= charge.reserved;
  account.running_time -= elapsed;
  account.slot_time += elapsed;
  if (elapsed > absl::ZeroDuration()) changed_.insert(charge.project);
  charges_.erase(found);
}

void FairShares::Accrue(absl::Duration now) {
  for (auto& [attempt, charge] : charges_) {
    const absl::Duration elapsed = now - charge.start;
    if (elapsed > charge.seen) Bring(AccountOf(charge.project), charge.project, charge, elapsed);
  }
}

void FairShares::AddCost(const std::string& project, int64_t cost_usd_nanos) {
  constexpr double kNanos = 1e9;
  Account& account = AccountOf(project);
  const absl::Duration charge =
      settings_.slot_time_per_usd * (static_cast<double>(cost_usd_nanos) / kNanos);
  const absl::Duration least = active_.empty() ? floor_ : active_.begin()->first;
  const absl::Duration room = std::max(absl::ZeroDuration(), least + kLeadMax - account.used());
  Update(account, project, [&] {
    account.settled += std::min(Virtual(charge, account.weight), room);
    account.cost_usd_nanos += cost_usd_nanos;
  });
  changed_.insert(project);
}

absl::Duration FairShares::VirtualTime(const std::string& project) const {
  const auto found = accounts_.find(project);
  if (found == accounts_.end()) return absl::ZeroDuration();
  return found->second.used() + found->second.reserved;
}

std::vector<ProjectUsage> FairShares::Totals() const {
  std::vector<ProjectUsage> totals;
  for (const auto& [project, account] : accounts_) {
    totals.push_back({.project = project,
                      .virtual_time = account.used(),
                      .slot_time = account.slot_time + account.running_time,
                      .cost_usd_nanos = account.cost_usd_nanos});
  }
  return totals;
}

std::vector<ProjectUsage> FairShares::TakeChanged() {
  std::vector<ProjectUsage> changed;
  for (const std::string& project : std::exchange(changed_, {})) {
    const Account& account = accounts_.at(project);
    changed.push_back({.project = project,
                       .virtual_time = account.settled,
                       .slot_time = account.slot_time,
                       .cost_usd_nanos = account.cost_usd_nanos});
  }
  return changed;
}

}  // namespace slipway::dispatcher
