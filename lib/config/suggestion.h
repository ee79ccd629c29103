#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::config {

// " (did you mean 'max_files'?)" when one of `candidates` is within a few typing errors of `name`,
// else empty.
std::string DidYouMean(absl::string_view name, const std::vector<std::string>& candidates);

}  // namespace slipway::config
