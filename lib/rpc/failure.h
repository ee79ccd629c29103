#pragma once

#include "lib/rpc/status.h"

namespace slipway::rpc {

// One operation of a call with several: slipway.common.v1.Failure, by its fields, as this library
// knows no messages of services. `status` is not OK; what operators alone may see is hidden as in
// the status of a call.
template <typename Failure>
void ToFailure(const absl::Status& status, Failure& proto) {
  const grpc::Status shown = ToGrpcStatus(status);
  proto.set_code(static_cast<int>(shown.error_code()));
  proto.set_message(shown.error_message());
  proto.set_details(shown.error_details());
}

template <typename Failure>
absl::Status FromFailure(const Failure& proto) {
  return FromGrpcStatus(
      grpc::Status(static_cast<grpc::StatusCode>(proto.code()), proto.message(), proto.details()));
}

}  // namespace slipway::rpc
