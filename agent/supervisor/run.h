#pragma once

#include <string>

#include "absl/status/status.h"

namespace slipway::agent {

// The supervisor's program: configuration, checks, work until it is done or a signal asks it to
// end.
absl::Status RunOutside(const std::string& config_path);

}  // namespace slipway::agent
