#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "lib/http/sse_parser.h"

namespace slipway::agent {

// Puts the reply of a chat completion together from its body, streamed as server-sent events or
// whole as JSON. Not thread-safe.
class ChatReply final {
 public:
  explicit ChatReply(bool streamed) : streamed_(streamed) {}

  // Fails with REPLY_TOO_LARGE, REPLY_MALFORMED, or PROVIDER_ERROR when the stream tells an error.
  absl::Status Feed(absl::string_view bytes);
  // The body is complete. REPLY_MALFORMED when the reply is not.
  absl::Status Finish();

  const std::string& text() const { return text_; }
  // Whether the model ran into its limit of output.
  bool cut_off() const { return finish_reason_ == "length"; }

 private:
  absl::Status TakeChunk(absl::string_view json);
  absl::Status Append(absl::string_view text);

  const bool streamed_;
  http::SseParser parser_;
  std::string body_;
  std::string text_;
  std::string finish_reason_;
  bool done_ = false;
};

}  // namespace slipway::agent
