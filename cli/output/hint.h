#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace slipway::cli {

// What a person can do about `status`: by its reason, else by its code. Empty for OK.
std::string HintFor(const absl::Status& status);

// Whether a hint is written for `reason` itself.
bool HasHint(absl::string_view reason);

}  // namespace slipway::cli
