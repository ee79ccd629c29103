#pragma once

#include <string>

#include "absl/status/status.h"

namespace slipway::ledger {

// Whether a caller's key is 1 to 200 printable ASCII characters. Fails with KeyInvalid.
absl::Status CheckKey(const std::string& key);

}  // namespace slipway::ledger
