#include "services/models/domain/running_calls.h"

#include <algorithm>
#include <utility>

#include "services/models/domain/errors.h"

namespace slipway::models {

RunningCalls::Entry::Entry(RunningCalls& calls, std::string call_id, std::string key_hash,
                           Cancellation& cancellation)
    : calls_(calls),
      call_id_(std::move(call_id)),
      key_hash_(std::move(key_hash)),
      cancellation_(cancellation) {
  base::MutexLock lock(calls_.mutex_);
  calls_.running_[call_id_].push_back(this);
  ++calls_.size_;
  if (!calls_.stopped_.empty()) cancellation_.Cancel(calls_.stopped_);
}

RunningCalls::Entry::~Entry() {
  absl::AnyInvocable<void(bool)> next;
  {
    base::MutexLock lock(calls_.mutex_);
    const auto same = calls_.running_.find(call_id_);
    same->second.erase(std::find(same->second.begin(), same->second.end(), this));
    --calls_.size_;
    if (same->second.empty()) {
      calls_.running_.erase(same);
    } else {
      std::swap(next, same->second.front()->alone_);
    }
  }
  if (next) next(false);
}

void RunningCalls::Entry::OnAlone(absl::AnyInvocable<void(bool)> alone) {
  {
    base::MutexLock lock(calls_.mutex_);
    if (calls_.running_.at(call_id_).front() != this) {
      alone_ = std::move(alone);
      return;
    }
  }
  alone(true);
}

absl::StatusOr<RunningCalls::Place> RunningCalls::TakePlace() {
  {
    base::MutexLock lock(mutex_);
    if (places_ >= places_max_) return CallsExhausted(places_max_);
    ++places_;
  }
  return Place(this, [](RunningCalls* calls) {
    base::MutexLock lock(calls->mutex_);
    if (--calls->places_ == 0) calls->changed_.NotifyAll();
  });
}

void RunningCalls::CancelKeys(const std::vector<std::string>& key_hashes, absl::string_view why) {
  base::MutexLock lock(mutex_);
  for (const auto& [call_id, entries] : running_) {
    for (const Entry* entry : entries) {
      if (entry->key_hash_.empty()) continue;
      if (std::count(key_hashes.begin(), key_hashes.end(), entry->key_hash_) > 0) {
        entry->cancellation_.Cancel(why);
      }
    }
  }
}

void RunningCalls::CancelAll(absl::string_view why) {
  base::MutexLock lock(mutex_);
  stopped_ = std::string(why);
  for (const auto& [call_id, entries] : running_) {
    for (const Entry* entry : entries) entry->cancellation_.Cancel(why);
  }
}

void RunningCalls::AwaitNone() {
  base::MutexLock lock(mutex_);
  while (places_ > 0) changed_.Wait(mutex_);
}

size_t RunningCalls::size() const {
  base::MutexLock lock(mutex_);
  return size_;
}

}  // namespace slipway::models
