#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/models/domain/wire_request.h"

namespace slipway::models {

// Reads what metering must know of a request, in bounded memory whatever the body is. Fails with
// PROMPT_INVALID for what is malformed, and for what would be billed beyond any bound that the body
// gives: context kept at the provider, files by reference, several replies, work in the background.
absl::StatusOr<WireRequest> ReadWireRequest(Dialect dialect, std::string body);

}  // namespace slipway::models
