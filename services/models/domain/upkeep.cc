#include "services/models/domain/upkeep.h"

#include <algorithm>
#include <utility>

#include "lib/log/log.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

// While the ledger does not answer; then doubled up to the interval below.
constexpr absl::Duration kFirstRetry = absl::Milliseconds(200);
// Also finds gates that were closed and settlements that failed since the last look.
constexpr absl::Duration kInterval = absl::Seconds(2);
constexpr absl::Duration kPruneInterval = absl::Hours(1);

}  // namespace

Upkeep::Upkeep(Collaborators collaborators)
    : collaborators_(std::move(collaborators)), retry_delay_(kFirstRetry) {
  thread_ = std::thread([this] { Loop(); });
}

Upkeep::~Upkeep() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void Upkeep::Wake() {
  base::MutexLock lock(mutex_);
  awake_ = true;
  changed_.NotifyAll();
}

void Upkeep::Loop() {
  std::unique_ptr<base::Timer> timer;
  while (true) {
    {
      base::MutexLock lock(mutex_);
      while (!awake_ && !stopping_) changed_.Wait(mutex_);
      if (stopping_) return;
      awake_ = false;
    }
    const absl::Duration delay = RunOnce();
    timer = collaborators_.clock.RunAfter(delay, [this] { Wake(); });
  }
}

absl::Duration Upkeep::RunOnce() {
  absl::Duration delay = kInterval;
  const absl::Status settled = collaborators_.settler.SettleOwed(collaborators_.owner);
  if (settled.ok()) {
    retry_delay_ = kFirstRetry;
  } else {
    log::Warning("the ledger is owed settlements", {{"error", settled.message()}});
    delay = retry_delay_;
    retry_delay_ = std::min(retry_delay_ * 2, kInterval);
  }
  const absl::StatusOr<absl::Duration> next_gate = collaborators_.gates.OpenDue();
  const absl::Duration now = collaborators_.clock.Elapsed();
  if (next_gate.ok()) {
    delay = std::min(delay, std::max(*next_gate, absl::Milliseconds(1)));
  } else {
    log::Error("a gate could not be opened", {{"error", next_gate.status().message()}});
  }
  if (now >= next_prune_) {
    const absl::Status pruned = collaborators_.prune();
    if (!pruned.ok()) log::Error("pruning failed", {{"error", pruned.message()}});
    next_prune_ = now + kPruneInterval;
  }
  return delay;
}

}  // namespace slipway::models
