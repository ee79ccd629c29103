#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/http/headers.h"
#include "services/models/domain/call.h"

namespace slipway::models {

// What every object of one reply says of itself.
struct ChatIdentity {
  std::string call;
  std::string role;     // Shown as the model: what serves the role is not the agent's business.
  int64_t created = 0;  // Seconds since the Unix epoch.
};

// Chunks of a streamed reply, each as data of one server-sent event.
std::string FirstChunk(const ChatIdentity& identity);
std::string TextChunk(const ChatIdentity& identity, absl::string_view text);
std::string LastChunk(const ChatIdentity& identity, absl::string_view finish_reason);
std::string UsageChunk(const ChatIdentity& identity, const TokenCounts& tokens);

// A whole reply.
std::string CompletionBody(const ChatIdentity& identity, absl::string_view text,
                           const CallOutcome& outcome);

// The answer of GET /v1/models.
std::string ModelsBody(const std::vector<std::string>& roles);

// An error in OpenAI's form. The headers say whether and when to try again: what cannot succeed by
// itself says x-should-retry: false, so that no client spends time or money on it.
struct ChatError {
  int status = 500;
  http::Headers headers;
  std::string body;
};
ChatError ErrorReply(const absl::Status& error);

}  // namespace slipway::models
