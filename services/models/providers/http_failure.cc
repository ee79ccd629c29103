#include "services/models/providers/http_failure.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "lib/base/utf8.h"
#include "nlohmann/json.hpp"

namespace slipway::models {
namespace {

// Enough for a person; an endpoint's text is not trusted to be short.
constexpr size_t kDetailBytesMax = 300;

constexpr absl::string_view kMoneyCodes[] = {
    "insufficient_quota",  "credit_balance_exhausted",     "billing_hard_limit_reached",
    "billing_error",       "enforced_spend_limit_reached", "billing_not_active",
    "spend_limit_reached", "usage_limit_reached",          "credit_balance_too_low"};
constexpr absl::string_view kContextCodes[] = {"context_length_exceeded", "string_above_max_length",
                                               "request_too_large"};

// What kinds of error stand for inside a stream, where there is no status.
struct StreamKind {
  absl::string_view name;
  int status;
};
constexpr StreamKind kStreamKinds[] = {
    {"overloaded_error", 529},       {"rate_limit_error", 429},     {"rate_limit_exceeded", 429},
    {"timeout_error", 504},          {"authentication_error", 401}, {"permission_error", 403},
    {"not_found_error", 404},        {"request_too_large", 413},    {"invalid_request_error", 400},
    {"invalid_prompt", 400},         {"insufficient_quota", 429},   {"billing_error", 402},
    {"context_length_exceeded", 400}};

std::string TextAt(const nlohmann::json& value, const char* name) {
  const auto found = value.find(name);
  if (found == value.end()) return "";
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number_integer()) return absl::StrCat(found->get<int64_t>());
  return "";
}

template <size_t N>
bool IsOneOf(const HttpFailure& failure, const absl::string_view (&names)[N]) {
  for (const absl::string_view name : names) {
    if (failure.code == name || failure.type == name) return true;
  }
  return false;
}

// Anthropic's words for a spend limit that a person set, under a status that else means a mistake.
bool NamesUsageLimit(const HttpFailure& failure) {
  return absl::StrContains(failure.message, "reached your specified API usage limits") ||
         absl::StrContains(failure.message, "credit balance is too low");
}

FailureClass ClassOf(const HttpFailure& failure) {
  if (failure.status == 402 || IsOneOf(failure, kMoneyCodes) || NamesUsageLimit(failure)) {
    return FailureClass::kMoney;
  }
  switch (failure.status) {
    case 401:
    case 403:
    case 404:
      return FailureClass::kConfig;
    case 408:
    case 429:
    case 503:
    case 529:
      return FailureClass::kWait;
    default:
      break;
  }
  if (failure.status >= 400 && failure.status < 500) return FailureClass::kRequest;
  return FailureClass::kTransient;
}

// When a spend limit ends by itself; absent when only paying helps.
std::optional<absl::Duration> SpendLimitEnd(const HttpFailure& failure, absl::Time now) {
  constexpr absl::string_view kMark = "regain access on ";
  const size_t at = failure.message.find(std::string(kMark));
  if (at != std::string::npos) {
    const absl::string_view date =
        absl::string_view(failure.message).substr(at + kMark.size()).substr(0, 10);
    absl::Time until;
    if (absl::ParseTime("%Y-%m-%d", date, &until, nullptr) && until > now) return until - now;
  }
  if (failure.code != "enforced_spend_limit_reached") return std::nullopt;
  const absl::CivilMonth next = absl::ToCivilMonth(now, absl::UTCTimeZone()) + 1;
  return absl::FromCivil(next, absl::UTCTimeZone()) - now;
}

// The reset of one limit of which nothing remains.
std::optional<absl::Duration> ResetOf(const http::Headers& headers, const std::string& remaining,
                                      const std::string& reset, absl::Time now) {
  int64_t left = 0;
  if (!absl::SimpleAtoi(headers.Get(remaining), &left) || left > 0) return std::nullopt;
  const absl::string_view text = headers.Get(reset);
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration)) return duration;
  absl::Time until;
  if (absl::ParseTime(absl::RFC3339_full, text, &until, nullptr)) {
    return std::max(until - now, absl::ZeroDuration());
  }
  return std::nullopt;
}

}  // namespace

HttpFailure ReadFailure(int status, absl::string_view body) {
  HttpFailure failure = {.status = status};
  const auto value = nlohmann::json::parse(body.begin(), body.end(), nullptr, false);
  if (value.is_discarded() || !value.is_object()) return failure;
  const auto error = value.find("error");
  if (error == value.end()) {
    // An event of the responses dialect says it at the top.
    failure.code = TextAt(value, "code");
    failure.message = TextAt(value, "message");
    return failure;
  }
  if (error->is_string()) failure.message = error->get<std::string>();
  if (!error->is_object()) return failure;
  failure.type = TextAt(*error, "type");
  failure.code = TextAt(*error, "code");
  failure.message = TextAt(*error, "message");
  const auto details = error->find("details");
  if (failure.code.empty() && details != error->end() && details->is_object()) {
    failure.code = TextAt(*details, "error_code");
  }
  return failure;
}

HttpFailure ReadStreamFailure(absl::string_view error) {
  HttpFailure failure = ReadFailure(500, error);
  for (const StreamKind& kind : kStreamKinds) {
    if (failure.code == kind.name || failure.type == kind.name) failure.status = kind.status;
    if (failure.code == kind.name) break;
  }
  int status = 0;  // Some resellers write the status as the code.
  if (absl::SimpleAtoi(failure.code, &status) && status >= 400 && status < 600) {
    failure.status = status;
  }
  return failure;
}

ProviderResult ClassifyFailure(const HttpFailure& failure, absl::Time now) {
  ProviderResult result = {.kind = ProviderResult::Kind::kFailed,
                           .failure = ClassOf(failure),
                           .proof = Proof::kUpstreamErrorBeforeOutput,
                           .reason = absl::StrCat("HTTP_", failure.status),
                           .detail = absl::StrCat("HTTP status ", failure.status)};
  if (!failure.code.empty()) absl::StrAppend(&result.detail, " ", failure.code);
  if (!failure.message.empty()) absl::StrAppend(&result.detail, ": ", failure.message);
  result.detail = base::ToUtf8(result.detail, kDetailBytesMax);
  switch (result.failure) {
    case FailureClass::kWait:
      result.retry_after = failure.retry_after;
      break;
    case FailureClass::kMoney:
      result.reason = "PROVIDER_MONEY";
      result.whole_provider = true;
      result.retry_after = SpendLimitEnd(failure, now);
      break;
    case FailureClass::kConfig:
      result.whole_provider = failure.status != 404;  // 404: no such model.
      break;
    case FailureClass::kRequest:
      if (failure.status == 413 || IsOneOf(failure, kContextCodes) ||
          absl::StrContains(failure.message, "prompt is too long")) {
        result.reason = "CONTEXT_TOO_LONG";
      }
      break;
    case FailureClass::kTransient:
      break;
  }
  return result;
}

std::optional<absl::Duration> RetryAfterOf(const http::Headers& headers, absl::Time now) {
  // Asked of every reply, most of which have nothing that is read below.
  const auto speaks_of_limits = [](const auto& field) {
    return absl::StartsWithIgnoreCase(field.first, "retry-after") ||
           absl::StrContains(absl::AsciiStrToLower(field.first), "-ratelimit-");
  };
  if (std::none_of(headers.begin(), headers.end(), speaks_of_limits)) return std::nullopt;
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
  std::optional<absl::Duration> latest;
  const auto take = [&](const std::optional<absl::Duration>& reset) {
    if (reset.has_value()) latest = std::max(latest.value_or(absl::ZeroDuration()), *reset);
  };
  for (const char* what : {"requests", "tokens"}) {
    take(ResetOf(headers, absl::StrCat("x-ratelimit-remaining-", what),
                 absl::StrCat("x-ratelimit-reset-", what), now));
  }
  for (const char* what : {"requests", "tokens", "input-tokens", "output-tokens"}) {
    const std::string limit = absl::StrCat("anthropic-ratelimit-", what);
    take(ResetOf(headers, limit + "-remaining", limit + "-reset", now));
  }
  return latest;
}

}  // namespace slipway::models
