#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "absl/time/time.h"

namespace slipway::dispatcher {

absl::Duration FromProto(const google::protobuf::Duration& proto);
void ToProto(absl::Duration duration, google::protobuf::Duration& proto);
void ToProto(absl::Time time, google::protobuf::Timestamp& proto);

}  // namespace slipway::dispatcher
