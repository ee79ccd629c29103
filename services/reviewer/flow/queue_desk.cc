#include "services/reviewer/flow/queue_desk.h"

#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {

base::Mutex& QueueDesk::BuildMutex(const std::string& plan) {
  base::MutexLock lock(mutex_);
  std::unique_ptr<base::Mutex>& mutex = builds_[plan];
  if (mutex == nullptr) mutex = std::make_unique<base::Mutex>();
  return *mutex;
}

void QueueDesk::AddConflict(const std::string& change, const std::string& base) {
  base::MutexLock lock(mutex_);
  // They are found again.
  if (conflicts_.size() >= kConflictsKeptMax) conflicts_.clear();
  conflicts_.emplace(change, base);
}

bool QueueDesk::Conflicts(const std::string& change, const std::string& base) {
  base::MutexLock lock(mutex_);
  return conflicts_.contains({change, base});
}

void QueueDesk::ShowOrder(const std::string& plan, const std::vector<std::string>& order) {
  base::MutexLock lock(mutex_);
  if (orders_.size() >= kQueuesShownMax && !orders_.contains(plan)) orders_.clear();
  orders_[plan] = order;
}

std::vector<std::string> QueueDesk::ShownOrder(const std::string& plan) {
  base::MutexLock lock(mutex_);
  const auto found = orders_.find(plan);
  return found == orders_.end() ? std::vector<std::string>() : found->second;
}

}  // namespace slipway::reviewer
