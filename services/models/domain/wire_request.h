#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/models/domain/dialect.h"

namespace slipway::models {

// Bytes [begin, end) of a body.
struct WireSpan {
  size_t begin = 0;
  size_t end = 0;
};

// A member of the body's outermost object.
struct WireMember {
  std::string name;
  size_t key_begin = 0;  // Where its key's quote stands.
  WireSpan value;
  bool is_object = false;
};

// An entry of the list of tools.
struct WireTool {
  WireSpan span;
  bool at_provider = false;  // The provider would run it, and bill for it.
  std::string type;
};

// A request in a dialect, as an agent sent it: its bytes, what metering must know of it, and the
// places that a route decides about. Never changes once it was read.
struct WireRequest {
  Dialect dialect = Dialect::kChat;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // To pass on, such as anthropic-beta.

  std::string model;  // As the agent named it: a role.
  bool stream = false;
  bool usage_asked = false;        // Of a chat stream: it shall end with a chunk of usage.
  int64_t output_tokens_max = 0;   // 0: not said.
  int64_t input_tokens_bound = 0;  // What no tokeniser exceeds.
  bool bound_is_counted = false;   // It comes from the provider's own count instead.
  int64_t images = 0;
  size_t image_bytes = 0;  // Of the body.

  std::vector<WireMember> members;
  std::vector<WireTool> tools;
  std::optional<WireSpan> include_usage;    // stream_options.include_usage
  std::optional<WireSpan> effort;           // reasoning.effort, output_config.effort
  std::optional<WireSpan> thinking_budget;  // thinking.budget_tokens
  int64_t thinking_budget_tokens = 0;
};

}  // namespace slipway::models
