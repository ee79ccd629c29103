#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "services/dispatcher/domain/agent_fleet.h"

namespace slipway::dispatcher {

// What the thread of a host is asked to do, and what it sleeps on between its looks. Thread-safe.
class OrderInbox final {
 public:
  void Start(AgentFleet::Order order);
  void Retire(const std::string& agent);

  // Has the next Wait return at once.
  void Wake();
  // For good.
  void Stop();

  // In order. An order to retire an agent has no host.
  std::vector<AgentFleet::Order> Take();

  // Returns when something came, or after `pause`: whether to go on, not being stopped.
  bool Wait(absl::Duration pause);

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<AgentFleet::Order> orders_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace slipway::dispatcher
