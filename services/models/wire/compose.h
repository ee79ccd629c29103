#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/models/domain/call.h"
#include "services/models/domain/dialect.h"

namespace slipway::models {

// A conversation of the suite's own, to be asked in some dialect.
struct Composition {
  std::string model;
  const std::vector<Message>& messages;
  std::string response_schema;  // JSON; empty: free text.
  int64_t output_tokens_max = 0;
  std::string service_tier;      // As the provider calls it; empty: none is named.
  std::string reasoning_effort;  // Empty: none is named.
};

// The body of a request for a streamed reply.
std::string ComposeRequest(Dialect dialect, const Composition& what);

}  // namespace slipway::models
