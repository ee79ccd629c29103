#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/models/domain/call.h"

namespace slipway::models {

// A request to /v1/chat/completions.
struct ChatRequest {
  CallSpec spec;  // Role, messages, output limit and further fields; nothing else.
  bool stream = false;
  bool include_usage = false;  // The stream ends with a chunk of usage.
};

// Reads a body. Fails with PromptInvalid for what is malformed, and for parameters that would cost
// money that no hold covers or change the form of the reply: tools, several choices, audio.
absl::StatusOr<ChatRequest> ReadChatRequest(absl::string_view body);

}  // namespace slipway::models
