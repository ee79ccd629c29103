#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "services/models/domain/gate_keeper.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// Looks now and then whether each endpoint answers and takes its key, without a call that costs
// anything. A key that is refused closes the provider's gate before work meets it, and one that is
// taken again opens the gate that a refusal had closed. Runs a thread from construction to
// destruction. Thread-safe.
class HealthWatch final {
 public:
  struct Finding {
    absl::Time time;
    bool healthy = false;
    std::string detail;
  };

  HealthWatch(const std::map<std::string, std::unique_ptr<Provider>>& providers, GateKeeper& gates,
              base::Clock& clock, absl::Duration interval);
  ~HealthWatch();

  // What was last found of a provider; absent when nothing was.
  std::optional<Finding> Of(const std::string& provider) const;

 private:
  void Loop();
  void LookAt(const std::string& name, Provider& provider);

  const std::map<std::string, std::unique_ptr<Provider>>& providers_;
  GateKeeper& gates_;
  base::Clock& clock_;
  const absl::Duration interval_;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  bool awake_ ABSL_GUARDED_BY(mutex_) = true;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Finding> findings_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace slipway::models
