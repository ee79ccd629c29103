#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "absl/time/time.h"

namespace slipway::rpc {

// Between Abseil's times and those of messages, exact to the nanosecond. Nothing is checked: a
// message may hold any seconds and nanos, which are added up; absl::InfiniteDuration and the
// infinite times become the largest seconds, which no message may hold.
absl::Time FromProto(const google::protobuf::Timestamp& time);
absl::Duration FromProto(const google::protobuf::Duration& duration);
google::protobuf::Timestamp ToProto(absl::Time time);
google::protobuf::Duration ToProto(absl::Duration duration);

// `duration` where it is above zero, else `otherwise`: an absent field reads as zero.
absl::Duration DurationOr(const google::protobuf::Duration& duration, absl::Duration otherwise);

}  // namespace slipway::rpc
