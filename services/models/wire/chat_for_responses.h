#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "services/models/domain/call.h"
#include "services/models/wire/request_writer.h"

namespace slipway::models {

// Lets an agent that speaks the responses dialect use a model that speaks chat completions only.
// Reasoning of earlier turns is left out, tools at the provider too; tools with free-form input
// become functions with one argument, "input".
struct ChatForResponses {
  std::string body;                    // The chat request, for the same kind of reply.
  std::set<std::string> custom_tools;  // Names of the tools with free-form input.
};

// Fails with PROMPT_INVALID for an input that has no counterpart.
absl::StatusOr<ChatForResponses> TranslateRequest(const WireRequest& request,
                                                  const WireDecision& decision);

// Makes the events, or the whole object, of the responses dialect from a chat reply.
class ResponsesFromChat final {
 public:
  ResponsesFromChat(std::string id, int64_t created, std::string model,
                    std::set<std::string> custom_tools);

  // The frames that one chunk of the stream amounts to, by its data.
  std::string TakeChunk(absl::string_view data);
  // The frames that end the stream. Without `whole` nothing ends it: the agent sees it break off.
  std::string End(bool whole, const std::string& finish_reason,
                  const std::optional<TokenCounts>& tokens);

  // The whole reply in one object.
  std::string TakeBody(absl::string_view body, const std::optional<TokenCounts>& tokens);

 private:
  struct Item {
    bool message = false;
    bool open = false;
    std::string id;
    std::string call_id;
    std::string name;
    std::string text;  // Of a message its text, of a call its arguments.
  };

  nlohmann::json Response(const char* status) const;
  nlohmann::json ItemObject(const Item& item, bool done) const;
  std::string Frame(const char* type, nlohmann::json fields);
  std::string Begin();
  std::string TakeText(const std::string& text);
  std::string TakeToolCall(const nlohmann::json& call);
  std::string OpenItem(size_t index);
  std::string CloseItem(size_t index);
  void SetUsage(nlohmann::json& response, const std::optional<TokenCounts>& tokens) const;

  const std::string id_;
  const int64_t created_;
  const std::string model_;
  const std::set<std::string> custom_tools_;
  int64_t sequence_ = 0;
  bool begun_ = false;
  std::vector<Item> items_;
  std::map<int64_t, size_t> calls_;  // By the index that chat gives a tool call.
};

}  // namespace slipway::models
