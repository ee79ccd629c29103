#include "agent/domain/lease.h"

#include <algorithm>

namespace slipway::agent {

absl::Duration Lease::Margin(absl::Duration lease_timeout) {
  return std::min(lease_timeout / 6, absl::Seconds(5));
}

void Lease::Renew(absl::Duration sent, absl::Duration lease_timeout) {
  {
    base::MutexLock lock(mutex_);
    end_ = std::max(end_, sent + lease_timeout - Margin(lease_timeout));
  }
  changed_();
}

void Lease::Stop(Cause cause) {
  {
    base::MutexLock lock(mutex_);
    if (!stopped_.has_value()) stopped_ = cause;
  }
  changed_();
}

Lease::State Lease::state() const {
  const absl::Duration now = clock_.Elapsed();
  base::MutexLock lock(mutex_);
  if (stopped_.has_value()) return State::kStopped;
  return now < end_ ? State::kHeld : State::kLapsed;
}

std::optional<Lease::Cause> Lease::stop_cause() const {
  base::MutexLock lock(mutex_);
  return stopped_;
}

absl::Duration Lease::time_left() const {
  const absl::Duration now = clock_.Elapsed();
  base::MutexLock lock(mutex_);
  return end_ - now;
}

}  // namespace slipway::agent
