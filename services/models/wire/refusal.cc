#include "services/models/wire/refusal.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/http/sse_parser.h"
#include "nlohmann/json.hpp"

namespace slipway::models {
namespace {

using nlohmann::json;

struct RefusalShape {
  const char* reason;
  int status;
  const char* code;            // OpenAI's error.code.
  const char* type;            // OpenAI's error.type.
  const char* anthropic_type;  // Anthropic's error.type.
  bool retry;
};

constexpr RefusalShape kRefusalShapes[] = {
    {"BUDGET_DENIED", 402, "insufficient_quota", "insufficient_quota", "billing_error", false},
    {"BUDGET_BUSY", 429, "budget_busy", "rate_limit_error", "rate_limit_error", true},
    {"CALLS_EXHAUSTED", 429, "too_many_calls", "rate_limit_error", "rate_limit_error", true},
    {"QUEUE_FULL", 429, "too_many_calls", "rate_limit_error", "rate_limit_error", true},
    {"GATE_CLOSED", 429, "rate_limit_exceeded", "rate_limit_error", "rate_limit_error", true},
    {"KEY_INVALID", 401, "invalid_api_key", "authentication_error", "authentication_error", false},
    {"ROLE_FORBIDDEN", 403, "role_forbidden", "permission_error", "permission_error", false},
    {"ROLE_UNKNOWN", 404, "model_not_found", "invalid_request_error", "not_found_error", false},
    {"ROUTE_MISSING", 404, "model_not_found", "invalid_request_error", "not_found_error", false},
    {"APPROVAL_REQUIRED", 403, "approval_required", "permission_error", "permission_error", false},
    {"PROVIDER_REFUSED", 403, "provider_refused", "permission_error", "permission_error", false},
    {"PROMPT_TOO_LARGE", 400, "context_length_exceeded", "invalid_request_error",
     "invalid_request_error", false},
    {"OUTCOME_UNKNOWN", 502, "outcome_unknown", "server_error", "api_error", false},
    {"CALL_CANCELLED", 409, "call_cancelled", "server_error", "api_error", false},
    {"PROVIDER_UNAVAILABLE", 503, "provider_unavailable", "server_error", "overloaded_error", true},
    {"LEDGER_UNAVAILABLE", 503, "ledger_unavailable", "server_error", "overloaded_error", true},
    {"PATH_NOT_FOUND", 404, "path_not_found", "invalid_request_error", "not_found_error", false},
};

RefusalShape ShapeOf(Dialect dialect, const absl::Status& error, const base::ErrorDetail& detail) {
  // A provider that must be paid first is not helped by waiting either.
  const auto cause = detail.metadata.find("cause");
  const bool unpaid =
      detail.reason == "GATE_CLOSED" && cause != detail.metadata.end() && cause->second == "MONEY";
  const std::string reason = unpaid ? "BUDGET_DENIED" : detail.reason;
  for (RefusalShape shape : kRefusalShapes) {
    if (reason != shape.reason) continue;
    if (dialect == Dialect::kResponses && shape.status == 402) shape.status = 429;
    return shape;
  }
  if (absl::IsInvalidArgument(error)) {
    return {"", 400, "invalid_request", "invalid_request_error", "invalid_request_error", false};
  }
  return {"", 500, "internal_error", "server_error", "api_error", false};
}

std::string DumpError(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json ErrorObject(Dialect dialect, const RefusalShape& shape, const absl::Status& error,
                 const std::string& reason) {
  std::string message = shape.status == 500 ? "the models service failed; its log says why"
                                            : std::string(error.message());
  // The words by which aider, which retries every other 402, knows that waiting does not help.
  if (dialect == Dialect::kChat && shape.status == 402) {
    message += " (insufficient credits, \"code\":402)";
  }
  if (dialect == Dialect::kMessages) {
    return {{"type", "error"},
            {"error", {{"type", shape.anthropic_type}, {"message", message}, {"reason", reason}}}};
  }
  return {{"error",
           {{"message", message},
            {"type", shape.type},
            {"param", nullptr},
            {"code", shape.code},
            {"reason", reason}}}};
}

}  // namespace

Refusal ComposeRefusal(Dialect dialect, const absl::Status& error) {
  const base::ErrorDetail detail = base::DetailOf(error).value_or(base::ErrorDetail());
  const RefusalShape shape = ShapeOf(dialect, error, detail);
  Refusal refusal = {.status = shape.status,
                     .headers = {{"Content-Type", "application/json"}},
                     .body = DumpError(ErrorObject(dialect, shape, error, detail.reason))};
  if (!shape.retry) {
    refusal.headers.Set("x-should-retry", "false");
    return refusal;
  }
  const absl::Duration wait = detail.retry_after.value_or(absl::Seconds(1));
  const double seconds = std::max(1.0, std::ceil(absl::ToDoubleSeconds(wait)));
  refusal.headers.Set("Retry-After", absl::StrCat(static_cast<int64_t>(seconds)));
  refusal.headers.Set("Retry-After-Ms", absl::StrCat(absl::ToInt64Milliseconds(wait)));
  return refusal;
}

std::string ComposeErrorFrame(Dialect dialect, const absl::Status& error) {
  const base::ErrorDetail detail = base::DetailOf(error).value_or(base::ErrorDetail());
  const RefusalShape shape = ShapeOf(dialect, error, detail);
  json object = ErrorObject(dialect, shape, error, detail.reason);
  if (dialect == Dialect::kChat) return http::SseFrame("", DumpError(object));
  if (dialect == Dialect::kResponses) {
    object["type"] = "error";
    object["code"] = shape.code;
    object["message"] = object["error"]["message"];
    object["param"] = nullptr;
  }
  return http::SseFrame("error", DumpError(object));
}

}  // namespace slipway::models
