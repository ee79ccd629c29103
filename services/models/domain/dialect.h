#pragma once

namespace slipway::models {

// The form of a request and its reply on the wire.
enum class Dialect {
  kChat,       // OpenAI's /v1/chat/completions.
  kResponses,  // OpenAI's /v1/responses.
  kMessages,   // Anthropic's /v1/messages.
};

constexpr const char* DialectName(Dialect dialect) {
  switch (dialect) {
    case Dialect::kChat:
      return "chat";
    case Dialect::kResponses:
      return "responses";
    case Dialect::kMessages:
      return "messages";
  }
  return "";
}

}  // namespace slipway::models
