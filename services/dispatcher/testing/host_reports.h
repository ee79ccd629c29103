#pragma once

#include <map>
#include <string>

#include "lib/base/mutex.h"
#include "services/dispatcher/fleet/container_host.h"

namespace slipway::dispatcher {

// What a host reported. Thread-safe.
class HostReports final {
 public:
  ContainerHost::Reports Sink() {
    return {.on_exited = [this](const std::string& agent,
                                const std::string& problem) { Add(agent, problem); },
            .on_reach = [this](const std::string& host,
                               const std::string& problem) { Add(host, problem); }};
  }

  // The next report about `who`; it has to come.
  std::string Await(const std::string& who) {
    base::MutexLock lock(mutex_);
    while (true) {
      const auto found = reports_.find(who);
      if (found != reports_.end()) {
        std::string problem = found->second;
        reports_.erase(found);
        return problem;
      }
      if (!changed_.WaitFor(mutex_, absl::Seconds(20))) return "nothing was reported";
    }
  }

  bool empty() {
    base::MutexLock lock(mutex_);
    return reports_.empty();
  }

 private:
  void Add(const std::string& who, const std::string& problem) {
    base::MutexLock lock(mutex_);
    reports_.emplace(who, problem);
    changed_.NotifyAll();
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  std::multimap<std::string, std::string> reports_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::dispatcher
