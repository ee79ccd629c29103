#include "agent/domain/lease.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "lib/testkit/fake_clock.h"

namespace slipway::agent {
namespace {

class LeaseTest : public ::testing::Test {
 protected:
  testkit::FakeClock clock_;
  int changes_ = 0;
  Lease lease_{clock_, [this] { ++changes_; }};
};

TEST_F(LeaseTest, IsNotHeldBeforeTheFirstConfirmation) {
  EXPECT_EQ(lease_.state(), Lease::State::kLapsed);
}

TEST_F(LeaseTest, EndsAMarginBeforeTheDispatchersExpiry) {
  lease_.Renew(clock_.Elapsed(), absl::Seconds(30));

  clock_.Advance(absl::Seconds(24.9));
  EXPECT_EQ(lease_.state(), Lease::State::kHeld);
  clock_.Advance(absl::Seconds(0.2));
  EXPECT_EQ(lease_.state(), Lease::State::kLapsed);
}

TEST_F(LeaseTest, CountsFromWhenTheConfirmedMessageWasSent) {
  const absl::Duration sent = clock_.Elapsed();
  clock_.Advance(absl::Seconds(20));
  lease_.Renew(sent, absl::Seconds(30));

  EXPECT_EQ(lease_.time_left(), absl::Seconds(5));
}

TEST_F(LeaseTest, ALateAnswerDoesNotShortenIt) {
  const absl::Duration early = clock_.Elapsed();
  clock_.Advance(absl::Seconds(10));
  lease_.Renew(clock_.Elapsed(), absl::Seconds(30));
  lease_.Renew(early, absl::Seconds(30));

  EXPECT_EQ(lease_.time_left(), absl::Seconds(25));
}

TEST_F(LeaseTest, IsRestoredByAConfirmationAfterALapse) {
  lease_.Renew(clock_.Elapsed(), absl::Seconds(30));
  clock_.Advance(absl::Hours(1));
  ASSERT_EQ(lease_.state(), Lease::State::kLapsed);

  lease_.Renew(clock_.Elapsed(), absl::Seconds(30));

  EXPECT_EQ(lease_.state(), Lease::State::kHeld);
}

TEST_F(LeaseTest, AStopIsFinalAndItsFirstCauseCounts) {
  lease_.Stop(Lease::Cause::kFenced);
  lease_.Stop(Lease::Cause::kTold);
  lease_.Renew(clock_.Elapsed(), absl::Seconds(30));

  EXPECT_EQ(lease_.state(), Lease::State::kStopped);
  EXPECT_EQ(lease_.stop_cause(), Lease::Cause::kFenced);
  EXPECT_EQ(changes_, 3);
}

TEST_F(LeaseTest, DoesNotFollowTheWallClock) {
  lease_.Renew(clock_.Elapsed(), absl::Seconds(30));
  clock_.StepWall(absl::Hours(5));

  EXPECT_EQ(lease_.state(), Lease::State::kHeld);
}

}  // namespace
}  // namespace slipway::agent
