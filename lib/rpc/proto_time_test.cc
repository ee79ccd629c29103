#include "lib/rpc/proto_time.h"

#include <gtest/gtest.h>

namespace slipway::rpc {
namespace {

TEST(ProtoTimeTest, TimesComeBackToTheNanosecond) {
  for (const int64_t nanos : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{-1'500'000'000},
                              int64_t{1'795'000'000'123'456'789}}) {
    const absl::Time time = absl::FromUnixNanos(nanos);
    EXPECT_EQ(FromProto(ToProto(time)), time) << nanos;
  }
}

// As google.protobuf.Timestamp demands: "Non-negative", also before the epoch.
TEST(ProtoTimeTest, NanosOfATimeBeforeTheEpochCountForward) {
  const google::protobuf::Timestamp proto = ToProto(absl::FromUnixNanos(-1));

  EXPECT_EQ(proto.seconds(), -1);
  EXPECT_EQ(proto.nanos(), 999'999'999);
}

// As google.protobuf.Duration demands: both of one sign.
TEST(ProtoTimeTest, PartsOfANegativeDurationHaveOneSign) {
  const google::protobuf::Duration proto = ToProto(absl::Milliseconds(-1'500));

  EXPECT_EQ(proto.seconds(), -1);
  EXPECT_EQ(proto.nanos(), -500'000'000);
  EXPECT_EQ(FromProto(proto), absl::Milliseconds(-1'500));
}

TEST(ProtoTimeTest, AbsentAndNegativeDurationsReadAsTheOther) {
  EXPECT_EQ(DurationOr({}, absl::Seconds(5)), absl::Seconds(5));
  EXPECT_EQ(DurationOr(ToProto(absl::Seconds(-1)), absl::Seconds(5)), absl::Seconds(5));
  EXPECT_EQ(DurationOr(ToProto(absl::Nanoseconds(1)), absl::Seconds(5)), absl::Nanoseconds(1));
}

}  // namespace
}  // namespace slipway::rpc
