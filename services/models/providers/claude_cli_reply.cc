#include "services/models/providers/claude_cli_reply.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/utf8.h"
#include "nlohmann/json.hpp"
#include "services/models/providers/http_failure.h"
#include "services/models/wire/usage.h"

namespace slipway::models {
namespace {

using nlohmann::json;

// A subscription's limit whose end the program does not tell.
constexpr absl::Duration kLimitWait = absl::Minutes(30);

std::string CliText(const json& value, const char* name) {
  if (!value.is_object()) return "";
  const auto found = value.find(name);
  return found != value.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// "...limit reached|1763226000": when the subscription's window ends.
std::optional<absl::Duration> LimitEnd(const std::string& text, absl::Time now) {
  if (!absl::StrContains(text, "limit")) return std::nullopt;
  const size_t bar = text.rfind('|');
  int64_t seconds = 0;
  if (bar != std::string::npos && absl::SimpleAtoi(text.substr(bar + 1), &seconds)) {
    const absl::Time end = absl::FromUnixSeconds(seconds);
    if (end > now) return end - now;
  }
  const bool limit =
      absl::StrContains(text, "usage limit") || absl::StrContains(text, "limit reached");
  return limit ? std::make_optional(kLimitWait) : std::nullopt;
}

}  // namespace

std::string ClaudeCliReply::TakeLine(absl::string_view line) {
  const json event = json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  const std::string type = CliText(event, "type");
  if (type == "assistant" && event.contains("message")) {
    const json& message = event["message"];
    model_ = CliText(message, "model");
    std::string text;
    if (!message.is_object() || !message.contains("content")) return text;
    for (const json& block : message["content"]) {
      if (CliText(block, "type") == "text") text += CliText(block, "text");
    }
    spoke_ = spoke_ || !text.empty();
    return text;
  }
  if (type != "result") return "";
  over_ = true;
  kind_ = CliText(event, "subtype");
  text_ = CliText(event, "result");
  session_ = CliText(event, "session_id");
  finish_reason_ = CliText(event, "stop_reason") == "max_tokens" ? "length" : "stop";
  error_ = event.value("is_error", json(false)) == true || kind_ != "success";
  const json status = event.value("api_error_status", json());
  if (status.is_number_integer()) status_ = status.get<int>();
  if (event.contains("usage")) tokens_ = ReadUsage(Dialect::kMessages, event["usage"]);
  return "";
}

ProviderResult ClaudeCliReply::End(absl::Time now) const {
  ProviderResult result = {.tokens = tokens_,
                           .finish_reason = finish_reason_,
                           .model = base::ToUtf8(model_, 200),
                           .request_id = base::ToUtf8(session_, 200)};
  if (over_ && !error_) {
    result.kind = ProviderResult::Kind::kComplete;
    return result;
  }
  const bool billed = spoke_ && status_ == 0;
  const bool counted = tokens_.has_value() && AllTokens(*tokens_) > 0;
  if (!over_ || billed || counted) {
    result.kind = ProviderResult::Kind::kUnknown;
    result.reason = over_ ? "REPLY_FAILED" : "REPLY_INCOMPLETE";
    result.detail =
        base::ToUtf8(over_ ? absl::StrCat(kind_, ": ", text_) : "the program ended", 300);
    if (!counted) result.tokens.reset();
    return result;
  }
  HttpFailure failure = {.status = status_ == 0 ? 500 : status_, .message = text_};
  failure.retry_after = LimitEnd(text_, now);
  if (failure.retry_after.has_value() && status_ != 402) failure.status = 429;
  result = ClassifyFailure(failure, now);
  result.request_id = base::ToUtf8(session_, 200);
  return result;
}

}  // namespace slipway::models
