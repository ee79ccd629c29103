#include "services/models/providers/http_failure.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/utf8.h"
#include "nlohmann/json.hpp"

namespace slipway::models {
namespace {

// Enough for a person; an endpoint's text is not trusted to be short.
constexpr size_t kDetailBytesMax = 300;

constexpr absl::string_view kMoneyCodes[] = {
    "insufficient_quota",           "credit_balance_exhausted", "billing_hard_limit_reached",
    "enforced_spend_limit_reached", "billing_not_active",       "spend_limit_reached"};
constexpr absl::string_view kContextCodes[] = {"context_length_exceeded", "string_above_max_length",
                                               "request_too_large"};

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

FailureClass ClassOf(const HttpFailure& failure) {
  if (failure.status == 402 || IsOneOf(failure, kMoneyCodes)) return FailureClass::kMoney;
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

}  // namespace

HttpFailure ReadFailure(int status, absl::string_view body) {
  HttpFailure failure = {.status = status};
  const auto value = nlohmann::json::parse(body.begin(), body.end(), nullptr, false);
  if (value.is_discarded() || !value.is_object()) return failure;
  const auto error = value.find("error");
  if (error == value.end()) return failure;
  if (error->is_string()) failure.message = error->get<std::string>();
  if (!error->is_object()) return failure;
  failure.type = TextAt(*error, "type");
  failure.code = TextAt(*error, "code");
  failure.message = TextAt(*error, "message");
  return failure;
}

ProviderResult ClassifyFailure(const HttpFailure& failure) {
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
      break;
    case FailureClass::kConfig:
      result.whole_provider = failure.status != 404;  // 404: no such model.
      break;
    case FailureClass::kRequest:
      if (failure.status == 413 || IsOneOf(failure, kContextCodes)) {
        result.reason = "CONTEXT_TOO_LONG";
      }
      break;
    case FailureClass::kTransient:
      break;
  }
  return result;
}

}  // namespace slipway::models
