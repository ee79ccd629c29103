#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/http/headers.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// The body of a chat completion request for `call`, streaming, with usage.
std::string ChatRequestBody(const ProviderCall& call);

// What one chunk of a streamed reply, or a whole reply, says. Absent fields were not there.
struct ChatChunk {
  bool valid = false;  // Whether it was JSON of the expected form.
  bool error = false;  // It holds an error object instead.
  std::string text;
  std::string finish_reason;
  std::string model;
  std::string service_tier;
  std::optional<TokenCounts> tokens;
};
ChatChunk ReadChatChunk(absl::string_view json_text);

// How long the endpoint asks to be left alone: retry-after-ms, retry-after, or, when a limit has
// nothing left, the time to its reset.
std::optional<absl::Duration> RetryAfterOf(const http::Headers& headers, absl::Time now);

}  // namespace slipway::models
