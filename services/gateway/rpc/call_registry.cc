#include "services/gateway/rpc/call_registry.h"

#include <vector>

#include "services/gateway/domain/limits.h"

namespace slipway::gateway {

CallRegistry::Hold& CallRegistry::Hold::operator=(Hold&& other) noexcept {
  if (this == &other) return *this;
  Release();
  registry_ = std::exchange(other.registry_, nullptr);
  id_ = other.id_;
  return *this;
}

void CallRegistry::Hold::Release() {
  CallRegistry* const registry = std::exchange(registry_, nullptr);
  if (registry == nullptr) return;
  base::MutexLock lock(registry->mutex_);
  registry->entries_.erase(id_);
}

CallRegistry::Hold CallRegistry::Add(const std::string& principal,
                                     const std::shared_ptr<ActiveCall>& call) {
  base::MutexLock lock(mutex_);
  if (entries_.size() >= static_cast<size_t>(kCallsMax)) return Hold();
  const uint64_t id = next_++;
  entries_.emplace(id, Entry{.principal = principal, .call = call});
  return Hold(this, id);
}

// Cancels under no lock: gRPC may end the call, and with it its hold, on this thread.
void CallRegistry::CancelCallsOf(const std::string& principal) {
  std::vector<std::shared_ptr<ActiveCall>> calls;
  {
    base::MutexLock lock(mutex_);
    for (const auto& [id, entry] : entries_) {
      if (entry.principal != principal) continue;
      if (std::shared_ptr<ActiveCall> call = entry.call.lock()) calls.push_back(std::move(call));
    }
  }
  for (const std::shared_ptr<ActiveCall>& call : calls) {
    call->revoked = true;
    call->context.TryCancel();
  }
}

int CallRegistry::calls() const {
  base::MutexLock lock(mutex_);
  return static_cast<int>(entries_.size());
}

}  // namespace slipway::gateway
