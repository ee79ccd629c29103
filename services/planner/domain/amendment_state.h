#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace slipway::planner {

// Where a change to a running plan stands; but for kNone the values are those of
// slipway.planner.v1.Amendment.State.
enum class AmendmentState {
  kNone = 0,  // There is none.
  kProposed = 1,
  kApproved = 2,
  kRefused = 3,
};

// One step that an amendment can take, and what causes it.
struct AmendmentStep {
  AmendmentState from;
  AmendmentState to;
  const char* cause;
};

// Every step there is. A step that is not here is never stored.
absl::Span<const AmendmentStep> AmendmentSteps();

bool CanStep(AmendmentState from, AmendmentState to);

// "PROPOSED"; empty for kNone.
absl::string_view AmendmentStateName(AmendmentState state);

}  // namespace slipway::planner
