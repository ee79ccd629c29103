#pragma once

#include <optional>

#include "absl/status/statusor.h"

namespace slipway::cli {

// A port of 127.0.0.1 that is free now: `wanted`, which must be free (PORT_TAKEN), or when nothing
// is wanted `preferred` or any. 0 means any.
absl::StatusOr<int> ChoosePort(std::optional<int> wanted, int preferred);

}  // namespace slipway::cli
