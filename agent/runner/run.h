#pragma once

#include "absl/status/status.h"

namespace slipway::agent {

// The runner: works inside the sandbox on what the run directory's work.json says and tells the
// supervisor over standard output. OK once a result was told, whatever it is.
absl::Status RunInside();

}  // namespace slipway::agent
