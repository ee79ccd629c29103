#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"

namespace slipway::cli {

// Waits until the gRPC server at `address` ("unix:/path") says that it serves. `check` is asked in
// between and ends the wait with its error. DEADLINE_EXCEEDED after `timeout`.
absl::Status WaitUntilServing(const std::string& address, absl::Duration timeout,
                              base::Clock& clock, absl::FunctionRef<absl::Status()> check);

}  // namespace slipway::cli
