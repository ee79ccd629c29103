#include "services/models/providers/openai_wire.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace slipway::models {
namespace {

using nlohmann::json;

const char* RoleName(Speaker speaker) {
  switch (speaker) {
    case Speaker::kSystem:
      return "system";
    case Speaker::kUser:
      return "user";
    case Speaker::kAssistant:
      return "assistant";
  }
  return "user";
}

const json* Member(const json& value, const char* name) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(name);
  return found == value.end() || found->is_null() ? nullptr : &*found;
}

std::string TextOf(const json& value, const char* name) {
  const json* member = Member(value, name);
  return member != nullptr && member->is_string() ? member->get<std::string>() : std::string();
}

int64_t CountOf(const json& value, const char* name) {
  const json* member = Member(value, name);
  if (member == nullptr || !member->is_number_integer()) return 0;
  return std::max<int64_t>(member->get<int64_t>(), 0);
}

// Cached and written tokens are part of prompt_tokens, reasoning is part of completion_tokens.
std::optional<TokenCounts> UsageOf(const json& chunk) {
  const json* usage = Member(chunk, "usage");
  if (usage == nullptr || Member(*usage, "prompt_tokens") == nullptr) return std::nullopt;
  TokenCounts tokens;
  const int64_t prompt = CountOf(*usage, "prompt_tokens");
  if (const json* details = Member(*usage, "prompt_tokens_details")) {
    tokens.cache_read = std::min(CountOf(*details, "cached_tokens"), prompt);
    tokens.cache_write =
        std::min(CountOf(*details, "cache_write_tokens"), prompt - tokens.cache_read);
  }
  tokens.input = prompt - tokens.cache_read - tokens.cache_write;
  tokens.output = CountOf(*usage, "completion_tokens");
  if (const json* details = Member(*usage, "completion_tokens_details")) {
    tokens.reasoning = std::min(CountOf(*details, "reasoning_tokens"), tokens.output);
  }
  return tokens;
}

}  // namespace

std::string ChatRequestBody(const ProviderCall& call) {
  json body = json::parse(call.extra_json.empty() ? "{}" : call.extra_json, nullptr, false);
  if (!body.is_object()) body = json::object();
  body["model"] = call.model;
  body["messages"] = json::array();
  for (const Message& message : call.messages) {
    body["messages"].push_back({{"role", RoleName(message.speaker)}, {"content", message.text}});
  }
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  body["max_completion_tokens"] = call.output_tokens_max;
  body["service_tier"] = call.service_tier;
  if (!call.reasoning_effort.empty()) body["reasoning_effort"] = call.reasoning_effort;
  const json schema = json::parse(call.response_schema, nullptr, /*allow_exceptions=*/false);
  if (schema.is_object()) {
    body["response_format"] = {{"type", "json_schema"},
                               {"json_schema", {{"name", "reply"}, {"schema", schema}}}};
  }
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

ChatChunk ReadChatChunk(absl::string_view json_text) {
  ChatChunk chunk;
  const json value = json::parse(json_text.begin(), json_text.end(), nullptr, false);
  if (!value.is_object()) return chunk;
  chunk.valid = true;
  chunk.error = Member(value, "error") != nullptr;
  chunk.model = TextOf(value, "model");
  chunk.service_tier = TextOf(value, "service_tier");
  chunk.tokens = UsageOf(value);
  const json* choices = Member(value, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty()) return chunk;
  const json& choice = choices->front();
  chunk.finish_reason = TextOf(choice, "finish_reason");
  const json* part = Member(choice, "delta");
  if (part == nullptr) part = Member(choice, "message");
  if (part == nullptr) return chunk;
  chunk.text = TextOf(*part, "content");
  if (chunk.text.empty()) chunk.text = TextOf(*part, "refusal");
  return chunk;
}

std::optional<absl::Duration> RetryAfterOf(const http::Headers& headers, absl::Time now) {
  double number = 0;
  if (absl::SimpleAtod(headers.Get("retry-after-ms"), &number) && number >= 0) {
    return absl::Milliseconds(number);
  }
  const absl::string_view retry_after = headers.Get("retry-after");
  if (absl::SimpleAtod(retry_after, &number) && number >= 0) return absl::Seconds(number);
  absl::Time until;
  if (absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", retry_after, &until, nullptr)) {
    return std::max(until - now, absl::ZeroDuration());
  }
  std::optional<absl::Duration> reset;
  for (const char* what : {"requests", "tokens"}) {
    int64_t remaining = 0;
    absl::Duration left;
    const bool spent =
        absl::SimpleAtoi(headers.Get(absl::StrCat("x-ratelimit-remaining-", what)), &remaining) &&
        remaining <= 0;
    const absl::string_view text = headers.Get(absl::StrCat("x-ratelimit-reset-", what));
    if (!spent || !absl::ParseDuration(text, &left)) continue;
    reset = std::max(reset.value_or(absl::ZeroDuration()), left);
  }
  return reset;
}

}  // namespace slipway::models
