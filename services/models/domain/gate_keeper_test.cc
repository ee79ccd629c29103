#include "services/models/domain/gate_keeper.h"

#include <gtest/gtest.h>

#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"
#include "lib/testkit/temporary_directory.h"
#include "services/models/domain/limits.h"
#include "services/models/storage/sqlite_store.h"

namespace slipway::models {
namespace {

class GateKeeperTest : public ::testing::Test {
 protected:
  void SetUp() override { Restart(); }
  void Restart() {
    gates_.reset();
    store_.reset();
    ASSERT_OK_AND_ASSIGN(store_, SqliteStore::Open(directory_.File("models.db"), clock_, ids_));
    ASSERT_OK_AND_ASSIGN(gates_, GateKeeper::Load(*store_, clock_));
  }
  void CloseFor(absl::Duration time) {
    ASSERT_OK(gates_->Close(
        {.name = LimitGateName(route_), .cause = "WAIT", .until = clock_.Now() + time}));
  }

  testkit::TemporaryDirectory directory_;
  testkit::FakeClock clock_;
  testkit::SequentialIds ids_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<GateKeeper> gates_;
  const Route route_ = {.provider = "p", .model = "m"};
};

TEST_F(GateKeeperTest, CallsComeBackInATrickleAfterTheReset) {
  CloseFor(absl::Hours(5));
  EXPECT_TRUE(gates_->ClosedFor(route_).has_value());

  clock_.Advance(absl::Hours(5));
  ASSERT_OK(gates_->OpenDue());

  EXPECT_FALSE(gates_->ClosedFor(route_).has_value());
  EXPECT_FALSE(gates_->Enter(route_).has_value());
  ASSERT_TRUE(gates_->Enter(route_).has_value());  // The first is under way.
  EXPECT_EQ(gates_->Enter(route_)->until, clock_.Now() + kTrickleWait);
  gates_->Leave(route_, true);
  EXPECT_FALSE(gates_->Enter(route_).has_value());
  EXPECT_FALSE(gates_->Enter(route_).has_value());
  EXPECT_TRUE(gates_->Enter(route_).has_value());
}

TEST_F(GateKeeperTest, TrickleGrowsOnlyByWhatWasServed) {
  CloseFor(absl::Seconds(1));
  clock_.Advance(absl::Seconds(1));
  ASSERT_OK(gates_->OpenDue());

  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(gates_->Enter(route_).has_value());
    EXPECT_TRUE(gates_->Enter(route_).has_value());
    gates_->Leave(route_, false);
  }
  for (int i = 0; i < 6; ++i) {
    ASSERT_FALSE(gates_->Enter(route_).has_value());
    gates_->Leave(route_, true);
  }
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(gates_->Enter(route_).has_value());
}

TEST_F(GateKeeperTest, ResetSurvivesARestart) {
  CloseFor(absl::Hours(5));
  Restart();
  EXPECT_TRUE(gates_->ClosedFor(route_).has_value());

  clock_.Advance(absl::Hours(6));
  Restart();

  EXPECT_FALSE(gates_->ClosedFor(route_).has_value());
  EXPECT_FALSE(gates_->Enter(route_).has_value());
  EXPECT_TRUE(gates_->Enter(route_).has_value());  // Still in a trickle.
}

TEST_F(GateKeeperTest, AWallClockThatIsSetNeitherOpensAGateNorKeepsItClosed) {
  CloseFor(absl::Minutes(5));

  clock_.StepWall(absl::Hours(1));
  ASSERT_OK(gates_->OpenDue());
  ASSERT_TRUE(gates_->ClosedFor(route_).has_value());
  EXPECT_EQ(gates_->ClosedFor(route_)->until, clock_.Now() + absl::Minutes(5));

  clock_.StepWall(-absl::Hours(3));
  ASSERT_OK_AND_ASSIGN(const absl::Duration next, gates_->OpenDue());
  EXPECT_EQ(next, absl::Minutes(5));
  EXPECT_EQ(gates_->All()[0].until, clock_.Now() + absl::Minutes(5));

  clock_.Advance(absl::Minutes(5));
  ASSERT_OK(gates_->OpenDue());
  EXPECT_FALSE(gates_->ClosedFor(route_).has_value());
}

TEST_F(GateKeeperTest, GateThatAPersonOpensIsOpen) {
  CloseFor(absl::Hours(5));

  ASSERT_OK(gates_->Open(LimitGateName(route_)));

  for (int i = 0; i < 100; ++i) EXPECT_FALSE(gates_->Enter(route_).has_value());
}

TEST_F(GateKeeperTest, LimitsPoolByFamilyAndFlexStandsApart) {
  const auto limit = [](const char* model, const char* tier = "default") {
    return LimitGateName({.provider = "p", .model = model, .service_tier = tier});
  };
  EXPECT_EQ(limit("claude-opus-5-5"), limit("claude-opus-4-1"));
  EXPECT_NE(limit("claude-opus-5-5"), limit("claude-haiku-5-5"));
  EXPECT_NE(limit("gpt-6-sol"), limit("gpt-6-luna"));
  EXPECT_NE(limit("gpt-6-sol"), limit("gpt-6-sol", "flex"));
  ASSERT_OK(gates_->Close(
      {.name = limit("m", "flex"), .cause = "WAIT", .until = clock_.Now() + absl::Hours(1)}));
  EXPECT_FALSE(gates_->ClosedFor(route_).has_value());
}

TEST_F(GateKeeperTest, BackoffDoublesUntilACallIsServed) {
  const std::string name = LimitGateName(route_);
  EXPECT_EQ(gates_->Backoff(name), kGateWaitDefault);
  EXPECT_EQ(gates_->Backoff(name), 2 * kGateWaitDefault);
  for (int i = 0; i < 20; ++i) gates_->Backoff(name);
  EXPECT_EQ(gates_->Backoff(name), kGateBackoffMax);

  gates_->Leave(route_, true);

  EXPECT_EQ(gates_->Backoff(name), kGateWaitDefault);
}

}  // namespace
}  // namespace slipway::models
