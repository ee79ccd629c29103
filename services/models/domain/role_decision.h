#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/models/domain/call.h"
#include "services/models/domain/role_choice.h"

namespace slipway::models {

// Which role an attempt was given, and why.
struct RoleDecision {
  Scopes scopes;  // Of the attempt, with the role that was chosen.
  absl::Time time;
  std::string named_role;  // By the plan; empty where it names none.
  TaskTraits traits;
  std::vector<std::string> reasons;
};

}  // namespace slipway::models
