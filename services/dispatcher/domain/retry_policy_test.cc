#include "services/dispatcher/domain/retry_policy.h"

#include <gtest/gtest.h>

#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

double Highest() { return 1.0; }
double Lowest() { return 0.0; }

TEST(RetryPolicyTest, FailuresThatTeachSomethingAreRetriedAtOnce) {
  EXPECT_EQ(RetryDelay(RetryClass::kAgent, 2, absl::Seconds(5), Highest), absl::ZeroDuration());
  EXPECT_EQ(RetryDelay(RetryClass::kConflict, 2, absl::Seconds(5), Highest), absl::ZeroDuration());
}

TEST(RetryPolicyTest, OtherFailuresWaitTwiceAsLongEachTimeUpToALimit) {
  const auto delay = [](int failures) {
    return RetryDelay(RetryClass::kInfrastructure, failures, absl::Seconds(5), Highest);
  };
  EXPECT_EQ(delay(0), absl::Seconds(5));
  EXPECT_EQ(delay(1), absl::Seconds(10));
  EXPECT_EQ(delay(3), absl::Seconds(40));
  EXPECT_EQ(delay(100), kBackoffMax);
}

TEST(RetryPolicyTest, ChanceTakesAtMostHalfOff) {
  EXPECT_EQ(RetryDelay(RetryClass::kProvider, 0, absl::Seconds(4), Lowest), absl::Seconds(2));
}

TEST(RetryPolicyTest, TheLongestWaitIsThatOfTheClassThatFailedMost) {
  EXPECT_EQ(LongestWait({}, absl::Seconds(5)), absl::Seconds(5));
  EXPECT_EQ(LongestWait({{"agent", 9}, {"infrastructure", 1}}, absl::Seconds(5)), absl::Seconds(5));
  EXPECT_EQ(LongestWait({{"infrastructure", 2}, {"provider", 3}}, absl::Seconds(5)),
            absl::Seconds(20));
  EXPECT_EQ(LongestWait({{"provider", 90}}, absl::Seconds(5)), kBackoffMax);
}

TEST(RetryPolicyTest, OnlyAgentRetriesFollowThePolicy) {
  const RunPolicy policy{.retries_max = 7};
  EXPECT_EQ(RetriesMax(RetryClass::kAgent, policy), 7);
  EXPECT_EQ(RetriesMax(RetryClass::kConflict, policy), kConflictRetriesMax);
  EXPECT_EQ(RetriesMax(RetryClass::kInfrastructure, policy), kInfrastructureRetriesMax);
  EXPECT_EQ(RetriesMax(RetryClass::kProvider, policy), kProviderRetriesMax);
}

}  // namespace
}  // namespace slipway::dispatcher
