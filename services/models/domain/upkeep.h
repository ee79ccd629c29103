#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "services/models/domain/gate_keeper.h"
#include "services/models/domain/settler.h"

namespace slipway::models {

// Does by itself what nobody asks for: settles what is owed, opens gates whose time has come, drops
// old replies. Runs on a thread of its own from construction to destruction.
class Upkeep final {
 public:
  struct Collaborators {
    Settler& settler;
    GateKeeper& gates;
    base::Clock& clock;
    std::string owner;
    std::function<absl::Status()> prune;  // Drops what is kept no longer.
  };

  explicit Upkeep(Collaborators collaborators);
  ~Upkeep();

  // Looks again soon: a gate was closed or a settlement failed.
  void Wake();

 private:
  void Loop();
  absl::Duration RunOnce();

  Collaborators collaborators_;
  base::Mutex mutex_;
  base::CondVar changed_;
  bool awake_ ABSL_GUARDED_BY(mutex_) = true;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration retry_delay_;
  absl::Duration next_prune_;  // By the monotonic clock.
  std::thread thread_;
};

}  // namespace slipway::models
