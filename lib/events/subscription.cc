#include "lib/events/subscription.h"

#include <utility>
#include <vector>

namespace slipway::events {

Subscription Subscriptions::Add(Wake wake) {
  auto shared = std::make_shared<const Wake>(std::move(wake));
  base::MutexLock lock(registry_->mutex);
  const uint64_t id = registry_->next++;
  registry_->wakes.emplace(id, std::move(shared));
  return Subscription(registry_, id);
}

void Subscriptions::WakeAll() const {
  std::vector<std::shared_ptr<const Wake>> wakes;
  {
    base::MutexLock lock(registry_->mutex);
    wakes.reserve(registry_->wakes.size());
    for (const auto& [id, wake] : registry_->wakes) wakes.push_back(wake);
  }
  for (const std::shared_ptr<const Wake>& wake : wakes) (*wake)();
}

size_t Subscriptions::size() const {
  base::MutexLock lock(registry_->mutex);
  return registry_->wakes.size();
}

Subscription& Subscription::operator=(Subscription&& other) noexcept {
  if (this != &other) {
    End();
    registry_ = std::move(other.registry_);
    id_ = other.id_;
  }
  return *this;
}

void Subscription::End() {
  const std::shared_ptr<Subscriptions::Registry> registry = registry_.lock();
  registry_.reset();
  if (registry == nullptr) return;
  // Destroyed after the lock: what a wake holds may own other subscriptions.
  std::shared_ptr<const Subscriptions::Wake> wake;
  base::MutexLock lock(registry->mutex);
  const auto found = registry->wakes.find(id_);
  if (found == registry->wakes.end()) return;
  wake = std::move(found->second);
  registry->wakes.erase(found);
}

}  // namespace slipway::events
