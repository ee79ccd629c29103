#include "services/dispatcher/rpc/calls_under_way.h"

#include <utility>
#include <vector>

namespace slipway::dispatcher {

uint64_t CallsUnderWay::Begin() {
  base::MutexLock lock(mutex_);
  calls_.emplace(++last_, std::nullopt);
  return last_;
}

void CallsUnderWay::Attach(uint64_t id, rpc::PendingCall call) {
  {
    base::MutexLock lock(mutex_);
    const auto found = calls_.find(id);
    if (found == calls_.end()) return;
    if (!stopping_) {
      found->second = std::move(call);
      return;
    }
  }
  call.Cancel();
}

void CallsUnderWay::End(uint64_t id) {
  base::MutexLock lock(mutex_);
  calls_.erase(id);
  changed_.NotifyAll();
}

void CallsUnderWay::Stop() {
  std::vector<rpc::PendingCall> calls;
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& [id, call] : calls_) {
      if (call.has_value()) calls.push_back(*call);
    }
  }
  for (rpc::PendingCall& call : calls) call.Cancel();
  base::MutexLock lock(mutex_);
  while (!calls_.empty()) changed_.Wait(mutex_);
}

}  // namespace slipway::dispatcher
