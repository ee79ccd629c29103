#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace slipway::base {

// What a program needs to react to a failure: travels inside an absl::Status as a payload and on
// the wire as google.rpc.ErrorInfo.
struct ErrorDetail {
  std::string reason;  // UPPER_SNAKE, one cause each, never changed once published.
  std::map<std::string, std::string> metadata;  // Every variable of the message.
  std::optional<absl::Duration> retry_after;    // On the wire google.rpc.RetryInfo.
};

// A status with a detail. `message` says what happened and, where a person can act, what to do.
absl::Status Error(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                   std::map<std::string, std::string> metadata = {});

// The same with the earliest time at which a retry can help.
absl::Status RetryableError(absl::StatusCode code, absl::string_view reason,
                            absl::string_view message, absl::Duration retry_after,
                            std::map<std::string, std::string> metadata = {});

// The detail of `status`; absent when it has none.
std::optional<ErrorDetail> DetailOf(const absl::Status& status);

// The reason of `status`; empty when it has none.
std::string ReasonOf(const absl::Status& status);

// `status` with `detail` attached, replacing an earlier one.
absl::Status WithDetail(absl::Status status, const ErrorDetail& detail);

// `status` with `prefix` and ": " before its message; code and detail are kept.
absl::Status Annotate(const absl::Status& status, absl::string_view prefix);

}  // namespace slipway::base
