#pragma once

#include <grpcpp/server_context.h>

#include "absl/strings/string_view.h"
#include "lib/rpc/call.h"

namespace slipway::rpc {

// gRPC metadata by which callers say who they are. Values that are malformed or longer than
// kMetadataValueBytesMax count as absent.
inline constexpr char kPrincipalKey[] = "slipway-principal";
inline constexpr char kRoleKey[] = "slipway-role";
inline constexpr char kRequestIdKey[] = "slipway-request-id";
inline constexpr size_t kMetadataValueBytesMax = 256;  // Names and ids; gRPC allows 8 KiB in all.

// True for 1 to kMetadataValueBytesMax printable ASCII characters: what gRPC can carry.
bool IsMetadataValue(absl::string_view value);

// The call that `context` describes; a request id is made when the caller sent none.
Call CallOf(const grpc::ServerContextBase& context, Call::Cancellation cancellation);

}  // namespace slipway::rpc
