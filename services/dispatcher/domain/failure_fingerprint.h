#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace slipway::dispatcher {

// `text` without what differs between two runs of the same failure: numbers, hexadecimal ids,
// quoted temporary paths, times, colours, case and spacing. Bounded in length.
std::string NormalisedFailure(absl::string_view text);

// 16 hexadecimal digits: equal for failures that are the same but for those. `reason` is
// UPPER_SNAKE, `text` what is known of the failure.
std::string FingerprintOf(absl::string_view reason, absl::string_view text);

}  // namespace slipway::dispatcher
