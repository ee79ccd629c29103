#include "services/models/proxy/chat_reply.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "nlohmann/json.hpp"

namespace slipway::models {
namespace {

using nlohmann::json;

std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json Object(const ChatIdentity& identity, const char* kind) {
  return {{"id", absl::StrCat("chatcmpl-", identity.call)},
          {"object", kind},
          {"created", identity.created},
          {"model", identity.role}};
}

std::string Chunk(const ChatIdentity& identity, json delta, json finish_reason) {
  json chunk = Object(identity, "chat.completion.chunk");
  json choice = {{"index", 0}, {"delta", std::move(delta)}};
  choice["finish_reason"] = std::move(finish_reason);
  chunk["choices"] = json::array({std::move(choice)});
  return Dump(chunk);
}

json Usage(const TokenCounts& tokens) {
  const int64_t prompt = tokens.input + tokens.cache_read + tokens.cache_write;
  return {{"prompt_tokens", prompt},
          {"completion_tokens", tokens.output},
          {"total_tokens", prompt + tokens.output},
          {"prompt_tokens_details", {{"cached_tokens", tokens.cache_read}}},
          {"completion_tokens_details", {{"reasoning_tokens", tokens.reasoning}}}};
}

struct Shape {
  const char* reason;
  int status;
  const char* code;
  const char* type;
  bool retry;
};

constexpr Shape kShapes[] = {
    {"BUDGET_DENIED", 402, "insufficient_quota", "insufficient_quota", false},
    {"BUDGET_BUSY", 429, "budget_busy", "rate_limit_error", true},
    {"QUEUE_FULL", 429, "too_many_calls", "rate_limit_error", true},
    {"GATE_CLOSED", 429, "rate_limit_exceeded", "rate_limit_error", true},
    {"KEY_INVALID", 401, "invalid_api_key", "authentication_error", false},
    {"ROLE_FORBIDDEN", 403, "role_forbidden", "permission_error", false},
    {"ROLE_UNKNOWN", 404, "model_not_found", "invalid_request_error", false},
    {"ROUTE_MISSING", 404, "model_not_found", "invalid_request_error", false},
    {"APPROVAL_REQUIRED", 403, "approval_required", "permission_error", false},
    {"PROVIDER_REFUSED", 403, "provider_refused", "permission_error", false},
    {"PROMPT_TOO_LARGE", 400, "context_length_exceeded", "invalid_request_error", false},
    {"OUTCOME_UNKNOWN", 502, "outcome_unknown", "server_error", false},
    {"CALL_CANCELLED", 409, "call_cancelled", "server_error", false},
    {"PROVIDER_UNAVAILABLE", 503, "provider_unavailable", "server_error", true},
    {"LEDGER_UNAVAILABLE", 503, "ledger_unavailable", "server_error", true},
    {"PATH_NOT_FOUND", 404, "path_not_found", "invalid_request_error", false},
};

Shape ShapeOf(const absl::Status& error, const std::string& reason) {
  for (const Shape& shape : kShapes) {
    if (reason == shape.reason) return shape;
  }
  if (absl::IsInvalidArgument(error)) {
    return {"", 400, "invalid_request", "invalid_request_error", false};
  }
  return {"", 500, "internal_error", "server_error", false};
}

}  // namespace

std::string FirstChunk(const ChatIdentity& identity) {
  return Chunk(identity, {{"role", "assistant"}, {"content", ""}}, nullptr);
}

std::string TextChunk(const ChatIdentity& identity, absl::string_view text) {
  return Chunk(identity, {{"content", std::string(text)}}, nullptr);
}

std::string LastChunk(const ChatIdentity& identity, absl::string_view finish_reason) {
  return Chunk(identity, json::object(), std::string(finish_reason));
}

std::string UsageChunk(const ChatIdentity& identity, const TokenCounts& tokens) {
  json chunk = Object(identity, "chat.completion.chunk");
  chunk["choices"] = json::array();
  chunk["usage"] = Usage(tokens);
  return Dump(chunk);
}

std::string CompletionBody(const ChatIdentity& identity, absl::string_view text,
                           const CallOutcome& outcome) {
  json body = Object(identity, "chat.completion");
  body["choices"] =
      json::array({{{"index", 0},
                    {"message", {{"role", "assistant"}, {"content", std::string(text)}}},
                    {"finish_reason", outcome.finish_reason}}});
  body["usage"] = Usage(outcome.tokens);
  return Dump(body);
}

std::string ModelsBody(const std::vector<std::string>& roles) {
  json list = json::array();
  for (const std::string& role : roles) {
    list.push_back({{"id", role}, {"object", "model"}, {"created", 0}, {"owned_by", "slipway"}});
  }
  return Dump({{"object", "list"}, {"data", std::move(list)}});
}

ChatError ErrorReply(const absl::Status& error) {
  const base::ErrorDetail detail = base::DetailOf(error).value_or(base::ErrorDetail());
  const Shape shape = ShapeOf(error, detail.reason);
  const std::string message = shape.status == 500 ? "the models service failed; its log says why"
                                                  : std::string(error.message());
  ChatError reply = {.status = shape.status,
                     .headers = {{"Content-Type", "application/json"}},
                     .body = Dump({{"error",
                                    {{"message", message},
                                     {"type", shape.type},
                                     {"param", nullptr},
                                     {"code", shape.code},
                                     {"reason", detail.reason}}}})};
  if (!shape.retry) {
    reply.headers.Set("x-should-retry", "false");
    return reply;
  }
  const absl::Duration wait = detail.retry_after.value_or(absl::Seconds(1));
  const double seconds = std::max(1.0, std::ceil(absl::ToDoubleSeconds(wait)));
  reply.headers.Set("Retry-After", absl::StrCat(static_cast<int64_t>(seconds)));
  reply.headers.Set("Retry-After-Ms", absl::StrCat(absl::ToInt64Milliseconds(wait)));
  return reply;
}

}  // namespace slipway::models
