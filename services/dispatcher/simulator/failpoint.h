#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace slipway::dispatcher::simulator {

// Where something passes from one place to another, and a fault can come between.
enum class Boundary {
  kDecided,    // Commands have run; nothing is on disk.
  kCommitted,  // It is on disk; nobody was told.
  kCall,       // A call of reviewer or models.
  kTold,       // A message of an agent to the dispatcher.
  kOrdered,    // A message of the dispatcher to an agent.
};
inline constexpr int kBoundaryCount = 5;
const char* NameOf(Boundary boundary);

// What comes there.
enum class FailpointFault {
  kKill,        // The dispatcher ends.
  kDelay,       // Whatever passes, at a commit the dispatcher itself, waits for kFailpointDelay.
  kError,       // It does not pass. At a commit: power is lost.
  kToldFailed,  // It passes, and whoever sent it is told that it failed, or sends it again.
};
inline constexpr int kFailpointFaultCount = 4;
const char* NameOf(FailpointFault fault);

// Longer than two leases.
inline constexpr absl::Duration kFailpointDelay = absl::Seconds(65);

// One fault, at the `at`-th boundary that a history passes, from 1 on; 0: none.
struct Failpoint {
  int64_t at = 0;
  FailpointFault fault = FailpointFault::kKill;
};

}  // namespace slipway::dispatcher::simulator
