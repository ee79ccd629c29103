#pragma once

#include <cstdint>
#include <string>

#include "services/models/domain/wire_request.h"

namespace slipway::models {

// What the route and the hold decide about a request.
struct WireDecision {
  std::string model;
  int64_t output_tokens_max = 0;
  std::string service_tier;       // As the provider calls it; empty: the parameter is taken out.
  std::string reasoning_effort;   // Empty: the agent's own stays.
  bool old_output_limit = false;  // Of chat: "max_tokens" where the request names no limit itself.
};

// The body to send: every byte as the agent sent it, except the model, the output limit, tier and
// effort, the flag that makes a stream end with its usage, and what would be billed beyond the
// hold: tools that run at the provider, `speed`, `fallbacks`, `inference_geo`.
std::string WriteWireRequest(const WireRequest& request, const WireDecision& decision);

}  // namespace slipway::models
