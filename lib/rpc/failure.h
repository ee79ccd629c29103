#pragma once

#include "absl/strings/string_view.h"
#include "lib/rpc/status.h"

namespace slipway::rpc {

// One operation of a call with several, as slipway.common.v1.Status, whose name this library does
// not know. `status` is not OK; what operators alone may see is hidden as in the status of a call.
template <typename Proto>
void ToFailure(const absl::Status& status, Proto& proto) {
  const grpc::Status shown = ToGrpcStatus(status);
  if (proto.ParseFromString(shown.error_details()) && proto.code() != 0) return;
  proto.set_code(shown.error_code());
  proto.set_message(shown.error_message());
}

template <typename Proto>
absl::Status FromFailure(const Proto& proto) {
  return FromGrpcStatus(grpc::Status(static_cast<grpc::StatusCode>(proto.code()), proto.message(),
                                     proto.SerializeAsString()));
}

}  // namespace slipway::rpc
