#pragma once

#include <string>

#include "absl/status/status.h"
#include "lib/http/headers.h"
#include "services/models/domain/dialect.h"

namespace slipway::models {

// An error in the form of a dialect. The headers say whether and when to try again: what cannot
// succeed by itself says x-should-retry: false.
//
// A spent budget is told in the way that makes real clients stop at once: 402 in chat and messages,
// 429 with insufficient_quota in responses, whose clients retry 402.
struct Refusal {
  int status = 500;
  http::Headers headers;
  std::string body;
};

Refusal ComposeRefusal(Dialect dialect, const absl::Status& error);

// The same as the last event of a stream that has begun.
std::string ComposeErrorFrame(Dialect dialect, const absl::Status& error);

}  // namespace slipway::models
