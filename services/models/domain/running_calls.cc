#include "services/models/domain/running_calls.h"

#include <algorithm>
#include <utility>

namespace slipway::models {

RunningCalls::Entry::Entry(RunningCalls& calls, std::string call_id, std::string key_hash,
                           Cancellation& cancellation)
    : calls_(calls), call_id_(std::move(call_id)) {
  base::MutexLock lock(calls_.mutex_);
  while (calls_.running_.count(call_id_) > 0) calls_.ended_.Wait(calls_.mutex_);
  calls_.running_[call_id_] = {std::move(key_hash), &cancellation};
  if (!calls_.stopped_.empty()) cancellation.Cancel(calls_.stopped_);
}

RunningCalls::Entry::~Entry() {
  base::MutexLock lock(calls_.mutex_);
  calls_.running_.erase(call_id_);
  calls_.ended_.NotifyAll();
}

void RunningCalls::CancelKeys(const std::vector<std::string>& key_hashes, absl::string_view why) {
  base::MutexLock lock(mutex_);
  for (const auto& [call_id, running] : running_) {
    if (running.key_hash.empty()) continue;
    if (std::count(key_hashes.begin(), key_hashes.end(), running.key_hash) > 0) {
      running.cancellation->Cancel(why);
    }
  }
}

void RunningCalls::CancelAll(absl::string_view why) {
  base::MutexLock lock(mutex_);
  stopped_ = std::string(why);
  for (const auto& [call_id, running] : running_) running.cancellation->Cancel(why);
}

size_t RunningCalls::size() const {
  base::MutexLock lock(mutex_);
  return running_.size();
}

}  // namespace slipway::models
