#pragma once

#include <string>

#include "absl/status/status.h"
#include "services/gateway/domain/tokens.h"

// Tokens that are handed over in files, readable by their owner only.
namespace slipway::gateway {

// Makes the one-time token in the file at `path` known. A missing file is none.
absl::Status ImportOneTimeToken(Tokens& tokens, const std::string& path);

// Sees to it that the file at `path` (mode 0600) holds the secret of an administrator's token that
// works: writes a new one when the file is missing or its secret does not work.
absl::Status EnsureLocalToken(Tokens& tokens, const std::string& path);

}  // namespace slipway::gateway
