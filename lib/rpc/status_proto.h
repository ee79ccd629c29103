#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "slipway/common/v1/status.pb.h"

namespace slipway::rpc {

// An error as one of several answers on a stream: what a call of its own would have ended with, see
// ToGrpcStatus. `status` is not OK.
void ToProto(const absl::Status& status, common::v1::Status& proto,
             absl::string_view request_id = "");

// The reverse.
absl::Status FromProto(const common::v1::Status& proto);

}  // namespace slipway::rpc
