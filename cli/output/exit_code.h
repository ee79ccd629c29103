#pragma once

#include "absl/status/status.h"

namespace slipway::cli {

// What the program tells its caller. Documented in cli/README.md and in --help; never renumbered.
enum class ExitCode {
  kOk = 0,
  kFailed = 1,          // The work was done and did not succeed.
  kWrongUsage = 2,      // Wrong arguments or bad input.
  kNotFound = 3,        // What was named does not exist.
  kRefused = 4,         // Not permitted, or not possible as things stand.
  kUnreachable = 5,     // The suite does not answer.
  kWaitsForPerson = 6,  // Nothing goes on until a person decides.
};

// The exit code of a command that ended with `status`.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace slipway::cli
