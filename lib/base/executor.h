#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace slipway::base {

// Runs jobs somewhere. Thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;

  // Queues `job`, or refuses it: RESOURCE_EXHAUSTED (QUEUE_FULL) when the queue is full,
  // UNAVAILABLE (SHUTTING_DOWN) after Stop.
  virtual absl::Status TryRun(absl::AnyInvocable<void()> job) = 0;
};

}  // namespace slipway::base
