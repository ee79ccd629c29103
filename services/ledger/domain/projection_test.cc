#include "services/ledger/domain/projection.h"

#include <gtest/gtest.h>

namespace slipway::ledger {
namespace {

const absl::Time kMidnight = absl::FromUnixSeconds(1'767'225'600);  // 2026-01-01 in UTC.

Balance Spent(Window window, int64_t posted, int64_t limit) {
  Balance balance;
  balance.budget.window = window;
  balance.budget.zone = absl::UTCTimeZone();
  balance.budget.limit = limit;
  balance.budget.since = kMidnight;
  balance.bucket.window_start = window == Window::kTotal ? absl::UnixEpoch() : kMidnight;
  balance.bucket.posted = posted;
  return balance;
}

TEST(ProjectionTest, GoesOnAtTheRateOfTheWindowSoFar) {
  const auto projection = ProjectionAt(Spent(Window::kDay, 50, 100), kMidnight + absl::Hours(6));
  ASSERT_TRUE(projection.has_value());
  EXPECT_EQ(projection->posted_at_end, 200);
  EXPECT_EQ(projection->exhaust_time, kMidnight + absl::Hours(12));
}

TEST(ProjectionTest, NamesNoTimeForALimitThatLasts) {
  const auto projection =
      ProjectionAt(Spent(Window::kMonth, 10, 100), kMidnight + absl::Hours(240));
  ASSERT_TRUE(projection.has_value());
  EXPECT_EQ(projection->posted_at_end, 31);
  EXPECT_FALSE(projection->exhaust_time.has_value());
}

TEST(ProjectionTest, IsUnknownWithTooLittleToTellFrom) {
  EXPECT_FALSE(ProjectionAt(Spent(Window::kDay, 50, 100), kMidnight + absl::Minutes(71)));
  EXPECT_TRUE(ProjectionAt(Spent(Window::kDay, 50, 100), kMidnight + absl::Minutes(72)));
  EXPECT_FALSE(ProjectionAt(Spent(Window::kDay, 0, 100), kMidnight + absl::Hours(12)));
  EXPECT_FALSE(ProjectionAt(Spent(Window::kTotal, 50, 100), kMidnight + absl::Minutes(59)));
}

TEST(ProjectionTest, TotalCountsFromWhenTheBudgetDid) {
  Balance balance = Spent(Window::kTotal, 150, 200);
  balance.bucket.seeded = 100;  // Spent before: no part of the rate.
  const auto projection = ProjectionAt(balance, kMidnight + absl::Hours(10));
  ASSERT_TRUE(projection.has_value());
  EXPECT_FALSE(projection->posted_at_end.has_value());
  EXPECT_EQ(projection->exhaust_time, kMidnight + absl::Hours(20));
}

TEST(ProjectionTest, SaturatesInsteadOfOverflowing) {
  const auto projection =
      ProjectionAt(Spent(Window::kDay, INT64_MAX, INT64_MAX), kMidnight + absl::Hours(2));
  ASSERT_TRUE(projection.has_value());
  EXPECT_EQ(projection->posted_at_end, INT64_MAX);
  EXPECT_EQ(projection->exhaust_time, kMidnight + absl::Hours(2));
}

}  // namespace
}  // namespace slipway::ledger
