#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "services/planner/domain/plan.h"

namespace slipway::planner {

// The role whose model writes a task of this kind, unless a person chose another: the cheapest that
// is good enough. Reviewing roles never write.
std::string RoleFor(absl::string_view intent, Complexity complexity);

}  // namespace slipway::planner
