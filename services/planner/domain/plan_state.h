#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace slipway::planner {

// Where a plan stands; the values are those of slipway.planner.v1.Plan.State.
enum class PlanState {
  kDrafting = 1,
  kProposed = 2,
  kApproved = 3,
  kRejected = 4,
  kRunning = 5,
  kCompleted = 6,
  kFailed = 7,
  kCancelled = 8,
};

// One step that a plan can take, and what causes it.
struct PlanStep {
  PlanState from;
  PlanState to;
  const char* cause;
};

// Every step there is. A step that is not here is never stored.
absl::Span<const PlanStep> PlanSteps();

bool CanStep(PlanState from, PlanState to);

// True when no step leads on.
bool IsFinal(PlanState state);

// "DRAFTING"; the reverse is absent for any other text.
absl::string_view PlanStateName(PlanState state);
std::optional<PlanState> PlanStateOf(absl::string_view name);

}  // namespace slipway::planner
