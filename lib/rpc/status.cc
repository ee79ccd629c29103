#include "lib/rpc/status.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "lib/base/error.h"
#include "lib/base/id_generator.h"
#include "lib/base/utf8.h"
#include "lib/log/context.h"
#include "lib/log/log.h"
#include "lib/rpc/error_info.pb.h"

namespace slipway::rpc {
namespace {

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr size_t kReasonBytesMax = 64;
constexpr absl::Duration kRetryAfterMax = absl::Hours(24 * 365);

bool IsForOperators(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

// Logs `status` and returns what a client may see of it.
absl::Status Hide(const absl::Status& status, absl::string_view request_id) {
  std::string id(request_id);
  if (id.empty()) id = log::CurrentContext().request_id;
  if (id.empty()) id = base::RandomIds().NewId("request");
  const std::string reason = base::ReasonOf(status);
  const log::ScopedContext context({.request_id = id});
  log::Error("internal error",
             {{"code", CodeName(status.code())}, {"reason", reason}, {"error", status.message()}});
  const absl::Status hidden(status.code(), absl::StrCat("internal error (request ", id, ")"));
  return reason.empty() ? hidden : base::WithDetail(hidden, {.reason = reason});
}

void AddErrorInfo(const base::ErrorDetail& detail, google::rpc::Status& proto) {
  v1::ErrorInfo info;
  info.set_reason(base::ToUtf8(detail.reason, kReasonBytesMax));
  info.set_domain(kErrorDomain);
  size_t size = 0;
  for (const auto& [key, value] : detail.metadata) {
    size += key.size() + value.size();
    if (size > kErrorMetadataBytesMax) break;
    (*info.mutable_metadata())[base::ToUtf8(key, kErrorMetadataBytesMax)] =
        base::ToUtf8(value, kErrorMetadataBytesMax);
  }
  google::protobuf::Any& any = *proto.add_details();
  any.set_type_url(kErrorInfoUrl);
  any.set_value(info.SerializeAsString());
}

void AddRetryInfo(absl::Duration retry_after, google::rpc::Status& proto) {
  absl::Duration rest = std::clamp(retry_after, absl::ZeroDuration(), kRetryAfterMax);
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(absl::IDivDuration(rest, absl::Seconds(1), &rest));
  info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  proto.add_details()->PackFrom(info);
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status, absl::string_view request_id) {
  if (status.ok()) return grpc::Status::OK;
  const absl::Status shown = IsForOperators(status.code()) ? Hide(status, request_id) : status;
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(shown.code()));
  proto.set_message(base::ToUtf8(shown.message(), kErrorMessageBytesMax));
  if (const std::optional<base::ErrorDetail> detail = base::DetailOf(shown)) {
    AddErrorInfo(*detail, proto);
    if (detail->retry_after.has_value()) AddRetryInfo(*detail->retry_after, proto);
  }
  return grpc::Status(static_cast<grpc::StatusCode>(proto.code()), proto.message(),
                      proto.details().empty() ? "" : proto.SerializeAsString());
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const int code = status.error_code();
  const bool known = code > 0 && code <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  const absl::Status bare(known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown,
                          status.error_message());
  google::rpc::Status proto;
  if (status.error_details().empty() || !proto.ParseFromString(status.error_details())) {
    return bare;
  }
  std::optional<base::ErrorDetail> detail;
  for (const google::protobuf::Any& any : proto.details()) {
    v1::ErrorInfo info;
    google::rpc::RetryInfo retry;
    if (any.type_url() == kErrorInfoUrl && info.ParseFromString(any.value()) &&
        info.domain() == kErrorDomain) {
      if (!detail.has_value()) detail.emplace();
      detail->reason = info.reason();
      detail->metadata.insert(info.metadata().begin(), info.metadata().end());
    } else if (any.UnpackTo(&retry)) {
      if (!detail.has_value()) detail.emplace();
      detail->retry_after = absl::Seconds(retry.retry_delay().seconds()) +
                            absl::Nanoseconds(retry.retry_delay().nanos());
    }
  }
  return detail.has_value() ? base::WithDetail(bare, *detail) : bare;
}

absl::string_view CodeName(absl::StatusCode code) {
  static const std::map<absl::StatusCode, std::string>& names = *[] {
    auto* all = new std::map<absl::StatusCode, std::string>;
    for (int i = 0; i <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++i) {
      const auto value = static_cast<absl::StatusCode>(i);
      (*all)[value] = absl::StatusCodeToString(value);
    }
    return all;
  }();
  const auto found = names.find(code);
  return found != names.end() ? absl::string_view(found->second) : "UNKNOWN";
}

}  // namespace slipway::rpc
