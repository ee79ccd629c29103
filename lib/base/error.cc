#include "lib/base/error.h"

#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace slipway::base {
namespace {

constexpr char kPayloadUrl[] = "slipway/base.ErrorDetail";

// Fields are length-prefixed, so that any byte may stand in them: "<length>:<bytes>" repeated:
// reason, retry_after in nanoseconds or empty, then key and value in turn.
void AppendField(std::string& out, absl::string_view field) {
  absl::StrAppend(&out, field.size(), ":", field);
}

std::vector<std::string> SplitFields(absl::string_view encoded) {
  std::vector<std::string> fields;
  while (!encoded.empty()) {
    const size_t colon = encoded.find(':');
    size_t length = 0;
    if (colon == absl::string_view::npos || !absl::SimpleAtoi(encoded.substr(0, colon), &length)) {
      break;
    }
    fields.emplace_back(encoded.substr(colon + 1, length));
    encoded.remove_prefix(std::min(encoded.size(), colon + 1 + length));
  }
  return fields;
}

}  // namespace

absl::Status Error(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                   std::map<std::string, std::string> metadata) {
  return WithDetail(absl::Status(code, message),
                    {.reason = std::string(reason), .metadata = std::move(metadata)});
}

absl::Status RetryableError(absl::StatusCode code, absl::string_view reason,
                            absl::string_view message, absl::Duration retry_after,
                            std::map<std::string, std::string> metadata) {
  return WithDetail(
      absl::Status(code, message),
      {.reason = std::string(reason), .metadata = std::move(metadata), .retry_after = retry_after});
}

std::optional<ErrorDetail> DetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::vector<std::string> fields = SplitFields(std::string(*payload));
  if (fields.size() < 2) return std::nullopt;
  ErrorDetail detail{.reason = fields[0]};
  int64_t retry_nanos = 0;
  if (absl::SimpleAtoi(fields[1], &retry_nanos))
    detail.retry_after = absl::Nanoseconds(retry_nanos);
  for (size_t i = 2; i + 1 < fields.size(); i += 2) detail.metadata[fields[i]] = fields[i + 1];
  return detail;
}

std::string ReasonOf(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = DetailOf(status);
  return detail.has_value() ? detail->reason : "";
}

absl::Status WithDetail(absl::Status status, const ErrorDetail& detail) {
  std::string encoded;
  AppendField(encoded, detail.reason);
  AppendField(encoded, detail.retry_after.has_value()
                           ? absl::StrCat(absl::ToInt64Nanoseconds(*detail.retry_after))
                           : "");
  for (const auto& [key, value] : detail.metadata) {
    AppendField(encoded, key);
    AppendField(encoded, value);
  }
  status.SetPayload(kPayloadUrl, absl::Cord(encoded));
  return status;
}

absl::Status Annotate(const absl::Status& status, absl::string_view prefix) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(prefix, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

}  // namespace slipway::base
