#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "services/models/domain/limits.h"

namespace slipway::models {

// Who serves a role, and how.
struct Route {
  std::string role;  // "*": every role without a route of its own.
  int position = 0;  // Among the role's routes; 0 is tried first.
  std::string provider;
  std::string model;
  std::string service_tier = "default";
  std::string reasoning_effort;
  int64_t input_tokens_max = kInputTokensDefault;
  int64_t output_tokens_max = kOutputTokensDefault;
  int64_t context_characters_max = 0;  // 0: none but that of tokens.
  bool calibrated_holds = false;  // Hold what was seen to be needed, not what is surely enough.
  absl::Duration call_timeout = kCallTimeoutDefault;
  bool manual_approval = false;
};

}  // namespace slipway::models
