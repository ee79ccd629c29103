#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "lib/http/headers.h"
#include "lib/http/response_writer.h"

namespace slipway::gateway {

// Answers with an error in the form of the Connect protocol:
//   {"code":"not_found","message":"..","details":[{"type":"google.rpc.ErrorInfo",
//    "value":"<base64>","debug":{"reason":"PLAN_UNKNOWN","metadata":{}}}]}
void SendJsonError(http::ResponseWriter& writer, const grpc::Status& status, http::Headers headers);
void SendJsonError(http::ResponseWriter& writer, const absl::Status& status, http::Headers headers);

// The body alone.
std::string JsonErrorBody(const grpc::Status& status);

}  // namespace slipway::gateway
