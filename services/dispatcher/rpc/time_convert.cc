#include "services/dispatcher/rpc/time_convert.h"

namespace slipway::dispatcher {

absl::Duration FromProto(const google::protobuf::Duration& proto) {
  return absl::Seconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
}

void ToProto(absl::Duration duration, google::protobuf::Duration& proto) {
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
}

void ToProto(absl::Time time, google::protobuf::Timestamp& proto) {
  absl::Duration since = time - absl::UnixEpoch();
  proto.set_seconds(absl::IDivDuration(since, absl::Seconds(1), &since));
  if (since < absl::ZeroDuration()) {
    proto.set_seconds(proto.seconds() - 1);
    since += absl::Seconds(1);
  }
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(since)));
}

}  // namespace slipway::dispatcher
