#include "lib/rpc/status_proto.h"

#include "lib/rpc/status.h"

namespace slipway::rpc {

void ToProto(const absl::Status& status, common::v1::Status& proto, absl::string_view request_id) {
  const grpc::Status shown = ToGrpcStatus(status, request_id);
  if (proto.ParseFromString(shown.error_details()) && proto.code() != 0) return;
  proto.set_code(shown.error_code());
  proto.set_message(shown.error_message());
}

absl::Status FromProto(const common::v1::Status& proto) {
  return FromGrpcStatus(grpc::Status(static_cast<grpc::StatusCode>(proto.code()), proto.message(),
                                     proto.SerializeAsString()));
}

}  // namespace slipway::rpc
