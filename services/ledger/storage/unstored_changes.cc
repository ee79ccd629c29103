#include "services/ledger/storage/unstored_changes.h"

namespace slipway::ledger {

void UnstoredChanges::Add(const Changes& changes) {
  ++added_;
  const auto note = [this](const std::string& key) {
    last_by_key_[key] = added_;
    keys_.emplace_back(added_, key);
  };
  for (const Reservation& reservation : changes.added) note(reservation.key());
  for (const Reservation& reservation : changes.updated) note(reservation.key());
}

bool UnstoredChanges::Contains(const std::string& key) {
  const int64_t done = stored();
  for (; !keys_.empty() && keys_.front().first <= done; keys_.pop_front()) {
    const auto found = last_by_key_.find(keys_.front().second);
    if (found != last_by_key_.end() && found->second == keys_.front().first) {
      last_by_key_.erase(found);
    }
  }
  return last_by_key_.contains(key);
}

absl::Status UnstoredChanges::WaitUntil(int64_t left) {
  if (added_ - stored() > left) urge_();
  base::MutexLock lock(mutex_);
  while (added_ - stored_ > left && lost_.ok()) changed_.Wait(mutex_);
  return added_ - stored_ > left ? lost_ : absl::OkStatus();
}

void UnstoredChanges::OnStored(int64_t count) {
  {
    base::MutexLock lock(mutex_);
    stored_ += count;
  }
  changed_.NotifyAll();
}

void UnstoredChanges::OnLost(const absl::Status& cause) {
  {
    base::MutexLock lock(mutex_);
    lost_ = cause;
  }
  changed_.NotifyAll();
}

int64_t UnstoredChanges::stored() {
  base::MutexLock lock(mutex_);
  return stored_;
}

}  // namespace slipway::ledger
