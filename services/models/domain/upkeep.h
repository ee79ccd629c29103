#pragma once

#include <memory>
#include <string>
#include <thread>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "services/models/domain/gate_keeper.h"
#include "services/models/domain/settler.h"
#include "services/models/domain/store.h"

namespace slipway::models {

// Does by itself what nobody asks for: settles what is owed, opens gates whose time has come, drops
// old replies. Runs on a thread of its own from construction to destruction.
class Upkeep final {
 public:
  struct Collaborators {
    Store& store;
    Settler& settler;
    GateKeeper& gates;
    base::Clock& clock;
    std::string owner;
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
  absl::Time next_prune_ = absl::InfinitePast();
  std::thread thread_;
};

}  // namespace slipway::models
