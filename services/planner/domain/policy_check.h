#pragma once

#include "absl/status/status.h"
#include "services/planner/domain/project.h"

namespace slipway::planner {

// Checks what a person says about a project: PLAN_TIER_MISSING, or POLICY_INVALID, whose message
// begins with the field: "policy.validators[1].command: ...". Whether the repository exists is for
// the repository service to say.
absl::Status CheckProject(const Project& project);

}  // namespace slipway::planner
