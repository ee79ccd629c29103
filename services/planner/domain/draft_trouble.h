#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace slipway::planner {

// What to do about an error while a plan is drafted.
enum class DraftTrouble {
  kWait,         // A budget, a gate, a person or a service is in the way: it passes.
  kUnexplained,  // Tried again a few times.
  kTooLong,      // The prompt does not fit the route: show less of the repository.
  kFatal,        // Trying again cannot help.
};

DraftTrouble ClassifyTrouble(const absl::Status& status);

// How long to wait before the try after `waits` waits in a row: doubling from kBackoffFirst to
// kBackoffMax, or longer when the error asks for it, at most a minute, since what is in the way may
// be removed by a person at any time.
absl::Duration BackoffAfter(const absl::Status& status, int waits);

}  // namespace slipway::planner
