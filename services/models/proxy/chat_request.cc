#include "services/models/proxy/chat_request.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "nlohmann/json.hpp"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

using nlohmann::json;

constexpr const char* kRefused[] = {"tools",    "tool_choice",        "functions",  "function_call",
                                    "audio",    "modalities",         "prediction", "store",
                                    "logprobs", "web_search_options", "best_of"};
// What the route decides, and what is set anew for the provider.
constexpr const char* kOwn[] = {"model",          "messages",         "stream",
                                "stream_options", "max_tokens",       "max_completion_tokens",
                                "service_tier",   "reasoning_effort", "n"};

// Deeper nesting has no use and costs stack.
constexpr int kDepthMax = 64;

absl::StatusOr<Speaker> SpeakerOf(const json& message) {
  const auto role = message.find("role");
  if (role == message.end() || !role->is_string()) return PromptInvalid("a message has no role");
  const std::string name = role->get<std::string>();
  if (name == "system" || name == "developer") return Speaker::kSystem;
  if (name == "user") return Speaker::kUser;
  if (name == "assistant") return Speaker::kAssistant;
  return PromptInvalid(absl::StrCat("messages of role \"", name.substr(0, 40),
                                    "\" are not served: use system, user or assistant"));
}

absl::StatusOr<std::string> ContentOf(const json& message) {
  const auto content = message.find("content");
  if (content == message.end()) return PromptInvalid("a message has no content");
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) return PromptInvalid("content must be text or a list of text parts");
  std::string text;
  for (const json& part : *content) {
    const bool is_text = part.is_object() && part.value("type", json()) == json("text") &&
                         part.contains("text") && part["text"].is_string();
    if (!is_text) return PromptInvalid("only content parts of type \"text\" are served");
    text += part["text"].get<std::string>();
  }
  return text;
}

absl::Status ReadMessages(const json& body, CallSpec& spec) {
  const auto messages = body.find("messages");
  if (messages == body.end() || !messages->is_array() || messages->empty()) {
    return PromptInvalid("messages must be a list that is not empty");
  }
  if (messages->size() > kMessagesMax) {
    return PromptInvalid(absl::StrCat("more than ", kMessagesMax, " messages"));
  }
  for (const json& message : *messages) {
    if (!message.is_object()) return PromptInvalid("a message is not an object");
    ASSIGN_OR_RETURN(const Speaker speaker, SpeakerOf(message));
    ASSIGN_OR_RETURN(std::string text, ContentOf(message));
    spec.messages.push_back({speaker, std::move(text)});
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> OutputTokensMax(const json& body) {
  int64_t most = 0;
  for (const char* name : {"max_completion_tokens", "max_tokens"}) {
    const auto found = body.find(name);
    if (found == body.end() || found->is_null()) continue;
    if (!found->is_number_integer() || found->get<int64_t>() <= 0) {
      return PromptInvalid(absl::StrCat(name, " must be a whole number above 0"));
    }
    const int64_t value = found->get<int64_t>();
    most = most == 0 ? value : std::min(most, value);
  }
  return most;
}

absl::StatusOr<bool> BoolOf(const json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end() || found->is_null()) return false;
  if (!found->is_boolean()) return PromptInvalid(absl::StrCat(name, " must be true or false"));
  return found->get<bool>();
}

json ParseBounded(absl::string_view body) {
  bool too_deep = false;
  const json::parser_callback_t guard = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > kDepthMax;
    return !too_deep;
  };
  json value = json::parse(body.begin(), body.end(), guard, /*allow_exceptions=*/false);
  return too_deep ? json() : value;
}

}  // namespace

absl::StatusOr<ChatRequest> ReadChatRequest(absl::string_view body) {
  const json value = ParseBounded(body);
  if (!value.is_object()) return PromptInvalid("the body is not a JSON object");
  for (const char* name : kRefused) {
    const auto found = value.find(name);
    if (found == value.end() || found->is_null() || *found == json(false)) continue;
    return PromptInvalid(absl::StrCat("parameter \"", name, "\" is not served: leave it out"));
  }
  const auto choices = value.find("n");
  if (choices != value.end() && !choices->is_null() && *choices != json(1)) {
    return PromptInvalid("n must be 1: one call makes one reply");
  }
  ChatRequest request;
  const auto model = value.find("model");
  if (model == value.end() || !model->is_string()) {
    return PromptInvalid("model must be the name of a role; GET /v1/models lists them");
  }
  request.spec.role = model->get<std::string>();
  RETURN_IF_ERROR(ReadMessages(value, request.spec));
  ASSIGN_OR_RETURN(request.spec.output_tokens_max, OutputTokensMax(value));
  ASSIGN_OR_RETURN(request.stream, BoolOf(value, "stream"));
  const auto options = value.find("stream_options");
  if (options != value.end() && options->is_object()) {
    ASSIGN_OR_RETURN(request.include_usage, BoolOf(*options, "include_usage"));
  }
  json extra = value;
  for (const char* name : kOwn) extra.erase(name);
  for (const char* name : kRefused) extra.erase(name);
  if (!extra.empty()) {
    request.spec.extra_json = extra.dump(-1, ' ', false, json::error_handler_t::replace);
  }
  return request;
}

}  // namespace slipway::models
