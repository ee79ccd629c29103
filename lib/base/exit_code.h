#pragma once

#include "absl/status/status.h"

namespace slipway::base {

// The exit code of a service's main: 0 for OK; else the error is written to stderr as one line and
// the code is 2 for bad configuration or arguments (INVALID_ARGUMENT, NOT_FOUND), 3 when something
// it needs is missing or taken (FAILED_PRECONDITION, UNAVAILABLE), 1 otherwise.
int ExitCode(const absl::Status& status);

}  // namespace slipway::base
