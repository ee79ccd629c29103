#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::reviewer {

// What failed, as a validator's output tells it: "name: message" or a name, in the order of the
// output, each once, at most kFailuresMax of at most kFailureBytesMax bytes. `format` is "pytest",
// "ctest", "junit", "tap", "go" or "node"; nothing is found in any other. `output` may be of
// anybody's making and cut off at both ends; it is read once, in linear time.
std::vector<std::string> FailuresIn(absl::string_view format, absl::string_view output);

}  // namespace slipway::reviewer
