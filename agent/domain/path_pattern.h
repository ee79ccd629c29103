#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::agent {

// Whether `path` fits `pattern`, component by component: "*" stands for any characters of one, "**"
// as a whole component for any number of them. A pattern that ends in "/" means all below.
bool MatchesPattern(absl::string_view pattern, absl::string_view path);

bool MatchesAny(const std::vector<std::string>& patterns, absl::string_view path);

}  // namespace slipway::agent
