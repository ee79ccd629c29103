#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace slipway::rpc {

inline constexpr char kErrorDomain[] = "slipway.dev";

// Together they keep an error below the 8 KiB of metadata that gRPC peers accept by default.
inline constexpr size_t kErrorMessageBytesMax = 1'024;
inline constexpr size_t kErrorMetadataBytesMax = 2'048;

// The error as clients see it: code, message, and base::ErrorDetail as google.rpc.ErrorInfo
// (domain kErrorDomain) and RetryInfo. Metadata beyond its limit is left out. The text of
// INTERNAL, UNKNOWN and DATA_LOSS is for operators: it is logged under `request_id` (by default
// that of the log context) and replaced by one that names the request; the reason stays.
grpc::Status ToGrpcStatus(const absl::Status& status, absl::string_view request_id = "");

// The reverse; details of other domains are ignored.
absl::Status FromGrpcStatus(const grpc::Status& status);

// "NOT_FOUND" for kNotFound and so on.
absl::string_view CodeName(absl::StatusCode code);

}  // namespace slipway::rpc
