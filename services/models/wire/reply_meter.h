#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "services/models/domain/call.h"
#include "services/models/domain/dialect.h"

namespace slipway::models {

// What a reply told so far.
struct Metered {
  // The counts that the provider stands by: present only once they are final. Where several came,
  // the largest; they are cumulative.
  std::optional<TokenCounts> tokens;
  bool whole = false;      // The reply came to its end.
  bool spoke = false;      // Output came.
  bool began = false;      // Input was counted: something may be billed although nothing was said.
  bool malformed = false;  // Something was not in the dialect.
  std::string error;       // The JSON of an error that came instead of the rest.
  std::string finish_reason;  // "stop", "length", "tool_calls", "content_filter".
  std::string model;
  std::string service_tier;
  std::string request_id;
};

// Reads a reply beside its way to the agent. Not thread-safe.
class ReplyMeter final {
 public:
  explicit ReplyMeter(Dialect dialect) : dialect_(dialect) {}

  // One event of a stream, by its data; returns the text that it adds.
  std::string TakeEvent(absl::string_view data);
  // A whole reply; returns its text.
  std::string TakeBody(absl::string_view body);

  const Metered& metered() const { return metered_; }

  // Whether the last event was a chat stream's chunk of usage and nothing else.
  bool usage_alone() const { return usage_alone_; }

 private:
  std::string TakeChat(const nlohmann::json& chunk, const char* part);
  std::string TakeResponsesEvent(const nlohmann::json& event);
  std::string TakeResponse(const nlohmann::json& response);
  std::string TakeMessagesEvent(const nlohmann::json& event);
  std::string TakeMessage(const nlohmann::json& message);
  void TakeUsage(const nlohmann::json& usage);
  void TakeIdentity(const nlohmann::json& object);
  void TakeError(const nlohmann::json& error);

  const Dialect dialect_;
  Metered metered_;
  bool usage_alone_ = false;
  bool ended_ = false;               // A chat stream's choice has finished.
  std::optional<TokenCounts> seen_;  // Counts of a chat stream that may not be final.
  nlohmann::json merged_;            // Usage of a stream of messages.
};

}  // namespace slipway::models
