// What the simulator found.
#include <gtest/gtest.h>

#include "services/ledger/storage/ledger_fixture.h"

namespace slipway::ledger {
namespace {

constexpr char kProjectP[] = "projects/p";

class RegressionTest : public LedgerFixture {};

TEST_F(RegressionTest, RemovedBudgetRefusesNothingThoughItWasOverrun) {
  ASSERT_OK_AND_ASSIGN(const Balance balance, SetLimit(kProjectP, 100));
  ASSERT_OK(Reserve(CallFor("k1", 100)));
  ASSERT_OK(SettleFor("k1", 150));  // Freezes it.
  ASSERT_OK_AND_ASSIGN(const Reservation refused, Reserve(CallFor("k2", 1)));
  EXPECT_EQ(refused.state, ReservationState::kDenied);

  ASSERT_OK(Await<std::string>(
      [&](auto reply) { store_->DeleteBudget(balance.budget.id, "ada", std::move(reply)); }));

  ASSERT_OK_AND_ASSIGN(const Reservation held, Reserve(CallFor("k3", 1)));
  EXPECT_EQ(held.state, ReservationState::kHeld);
}

// The ledger stores the correction of a late settlement under a name of its own. When a caller
// could have used it before, the settlement could never be stored, and each try ended the process.
TEST_F(RegressionTest, CallersCorrectionCannotTakeTheNameOfALateSettlement) {
  ASSERT_OK(Reserve(CallFor("k1", 100)));
  ASSERT_OK(Reserve(CallFor("k2", 100)));
  ASSERT_OK(SettleFor("k2", 50));
  AdvanceAndExpire(absl::Minutes(11));
  ASSERT_OK(Adjust({.key = "late:k1", .reservation = "k2", .delta_usd_nanos = 5}));

  ASSERT_OK_AND_ASSIGN(const Settlement late, SettleFor("k1", 70));

  EXPECT_EQ(late.reservation.state, ReservationState::kSettledLate);
  ExpectAuditIsClean();
}

TEST_F(RegressionTest, BudgetMadeInTheFirstMomentOfItsWindowCountsWhatCameBeforeIt) {
  const absl::Time midnight = absl::FromUnixSeconds(20'753 * 86'400);
  clock_.StepWall(midnight - clock_.Now());
  ASSERT_OK(Reserve(CallFor("k1", 100)));
  ASSERT_OK(SettleFor("k1", 60));

  ASSERT_OK_AND_ASSIGN(const Balance balance,
                       SetLimit(kProjectP, 1'000, Metric::kUsdNanos, Window::kDay));

  EXPECT_EQ(balance.bucket.window_start, midnight);
  EXPECT_EQ(balance.bucket.posted, 60);
}

}  // namespace
}  // namespace slipway::ledger
