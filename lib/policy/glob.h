#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::policy {

// Whether `path` matches `pattern`, component by component and case-sensitive: "*" stands for any
// characters of one component, "?" for one of them, "**" for any number of components. A pattern
// that ends in "/" means everything below. Linear in the product of the lengths.
bool GlobMatches(absl::string_view pattern, absl::string_view path);

// Whether any of `patterns` matches.
bool AnyGlobMatches(const std::vector<std::string>& patterns, absl::string_view path);

// What is wrong with a pattern, in words that follow it: "is absolute". Empty when nothing is.
std::string GlobProblem(absl::string_view pattern);

}  // namespace slipway::policy
