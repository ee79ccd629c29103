#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace slipway::planner {

// What is wrong with a pattern of paths, in words that follow the pattern: "leaves the repository".
// Empty when nothing is. Patterns are relative, with "/" between components; "*" stands within a
// component and "**" for any number of them.
std::string PathPatternProblem(absl::string_view pattern);

}  // namespace slipway::planner
