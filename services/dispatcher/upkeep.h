#pragma once

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/executor.h"
#include "lib/base/mutex.h"

namespace slipway::dispatcher {

// Runs a job at once and then again an interval after it has ended, on an executor, until it is
// stopped. The collaborators must outlive the executor's last job. Thread-safe.
class Upkeep final {
 public:
  Upkeep(base::Clock& clock, base::Executor& executor, absl::Duration interval,
         std::function<void()> job);
  ~Upkeep() { Stop(); }

  // Begins no further run; one that is under way ends by itself. Idempotent.
  void Stop();

 private:
  struct Shared;
  static void Run(const std::shared_ptr<Shared>& shared);
  static void Arm(const std::shared_ptr<Shared>& shared);

  const std::shared_ptr<Shared> shared_;
};

}  // namespace slipway::dispatcher
