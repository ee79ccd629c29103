#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/mutex.h"

namespace slipway::reviewer {

// What the queues share in memory, none of which decides anything: who builds for a plan, conflicts
// that need not be found again, and the orders that were asked about last. Thread-safe.
class QueueDesk final {
 public:
  // One caller at a time builds for a plan: two would build the same.
  base::Mutex& BuildMutex(const std::string& plan);

  // Changes that do not merge on a base.
  void AddConflict(const std::string& change, const std::string& base);
  bool Conflicts(const std::string& change, const std::string& base);

  void ShowOrder(const std::string& plan, const std::vector<std::string>& order);
  std::vector<std::string> ShownOrder(const std::string& plan);

 private:
  base::Mutex mutex_;
  std::map<std::string, std::unique_ptr<base::Mutex>> builds_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<std::string, std::string>> conflicts_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<std::string>> orders_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::reviewer
