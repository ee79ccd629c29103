#include "services/dispatcher/fleet/order_inbox.h"

#include <utility>

namespace slipway::dispatcher {

void OrderInbox::Start(AgentFleet::Order order) {
  base::MutexLock lock(mutex_);
  orders_.push_back(std::move(order));
  changed_.NotifyAll();
}

void OrderInbox::Retire(const std::string& agent) { Start({.agent = agent}); }

void OrderInbox::Wake() {
  base::MutexLock lock(mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

void OrderInbox::Stop() {
  base::MutexLock lock(mutex_);
  stopping_ = true;
  changed_.NotifyAll();
}

std::vector<AgentFleet::Order> OrderInbox::Take() {
  base::MutexLock lock(mutex_);
  return std::exchange(orders_, {});
}

bool OrderInbox::Wait(absl::Duration pause) {
  base::MutexLock lock(mutex_);
  if (!stopping_ && !woken_ && orders_.empty()) changed_.WaitFor(mutex_, pause);
  woken_ = false;
  return !stopping_;
}

}  // namespace slipway::dispatcher
