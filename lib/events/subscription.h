#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "lib/base/mutex.h"

namespace slipway::events {

// Ends a subscription when it goes. Move-only.
class Subscription;

// Who wants to be woken. Thread-safe; may go before its subscriptions.
class Subscriptions final {
 public:
  // May be called by several threads at once, and once more while its subscription is being
  // destroyed: it should hold what it wakes weakly. Must not block.
  using Wake = absl::AnyInvocable<void() const>;

  [[nodiscard]] Subscription Add(Wake wake);

  // Calls every wake, on this thread and under no lock: a wake may end any subscription.
  void WakeAll() const;

  size_t size() const;

 private:
  friend class Subscription;
  struct Registry {
    base::Mutex mutex;
    uint64_t next ABSL_GUARDED_BY(mutex) = 1;
    std::map<uint64_t, std::shared_ptr<const Wake>> wakes ABSL_GUARDED_BY(mutex);
  };

  std::shared_ptr<Registry> registry_ = std::make_shared<Registry>();
};

class Subscription final {
 public:
  Subscription() = default;
  Subscription(Subscription&& other) noexcept = default;
  Subscription& operator=(Subscription&& other) noexcept;
  ~Subscription() { End(); }

 private:
  friend class Subscriptions;
  Subscription(std::weak_ptr<Subscriptions::Registry> registry, uint64_t id)
      : registry_(std::move(registry)), id_(id) {}
  void End();

  std::weak_ptr<Subscriptions::Registry> registry_;
  uint64_t id_ = 0;
};

}  // namespace slipway::events
