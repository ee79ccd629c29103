#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "lib/testkit/matchers.h"
#include "services/models/domain/call_check.h"
#include "services/models/domain/cancellation.h"
#include "services/models/domain/estimate.h"
#include "services/models/domain/limits.h"
#include "services/models/domain/route_table.h"

namespace slipway::models {
namespace {

using ::testing::SizeIs;
using testkit::FailsWithReason;

TEST(EstimateTest, BoundsInputByBytesAndMessages) {
  const CallSpec spec = {.messages = {{Speaker::kUser, "12345"}, {Speaker::kUser, "é"}},
                         .response_schema = "{}"};

  EXPECT_EQ(InputTokensBound(spec), 5 + 2 + 2 + 3 * 16);
}

TEST(EstimateTest, RoundsCostsUpAndGrantsDown) {
  const Quote quote = {.input_usd_nanos = 100, .output_pico_usd = 1'500};

  EXPECT_EQ(CostBound(quote, 1), 102);
  EXPECT_EQ(CostBound(quote, 2), 103);
  EXPECT_EQ(OutputTokensGranted(quote, {.usd_nanos = 102, .tokens = 1'000}, 10, 50), 1);
  EXPECT_EQ(OutputTokensGranted(quote, {.usd_nanos = 99, .tokens = 1'000}, 10, 50), 0);
  EXPECT_EQ(OutputTokensGranted(quote, {.usd_nanos = 10'000, .tokens = 30}, 10, 50), 20);
}

TEST(EstimateTest, WhatIsGrantedNeverCostsMoreThanWhatIsHeld) {
  for (int64_t price : {1, 7, 999, 1'000, 1'001, 75'000'000}) {
    for (int64_t held : {0, 100, 101, 5'000, 123'457}) {
      const Quote quote = {.input_usd_nanos = 100, .output_pico_usd = price};
      const int64_t granted =
          OutputTokensGranted(quote, {.usd_nanos = held, .tokens = 1'000'000}, 0, 1'000'000);
      if (granted == 0) continue;
      EXPECT_LE(CostBound(quote, granted), held) << price << " " << held;
    }
  }
}

TEST(EstimateTest, HugePricesSaturate) {
  const int64_t max = std::numeric_limits<int64_t>::max();

  EXPECT_EQ(CostBound({.input_usd_nanos = max, .output_pico_usd = max}, max), max);
}

TEST(RouteTableTest, OwnRoutesWinOverTheGeneralOneAndKeepTheirOrder) {
  const RouteTable table({{.role = "*", .model = "any"},
                          {.role = "writer", .model = "b"},
                          {.role = "writer", .model = "a"}});

  ASSERT_OK_AND_ASSIGN(const std::vector<Route> own, table.For("writer"));
  ASSERT_THAT(own, SizeIs(2));
  EXPECT_EQ(own[0].model, "b");
  EXPECT_EQ(own[1].position, 1);
  ASSERT_OK_AND_ASSIGN(const std::vector<Route> general, table.For("critic"));
  EXPECT_EQ(general[0].model, "any");
  EXPECT_THAT(table.For("*"), FailsWithReason("ROLE_UNKNOWN"));
}

TEST(CheckScopesTest, EachLiesBelowTheOneBefore) {
  EXPECT_OK(CheckScopes({.project = "projects/p", .plan = "projects/p/plans/n"}));
  EXPECT_THAT(CheckScopes({}), FailsWithReason("SCOPE_INVALID"));
  EXPECT_THAT(CheckScopes({.project = "projects/p", .plan = "projects/q/plans/n"}),
              FailsWithReason("SCOPE_INVALID"));
  EXPECT_THAT(CheckScopes({.project = "projects/p", .task = "projects/p/plans/n/tasks/t"}),
              FailsWithReason("SCOPE_INVALID"));
}

TEST(FingerprintTest, TellsRequestsApartButNotCallIds) {
  const CallSpec one = {.call_id = "1", .role = "ab", .messages = {{Speaker::kUser, "c"}}};
  CallSpec other = one;
  other.call_id = "2";
  EXPECT_EQ(Fingerprint(one), Fingerprint(other));
  other.messages[0].speaker = Speaker::kSystem;
  EXPECT_NE(Fingerprint(one), Fingerprint(other));
}

TEST(CancellationTest, ListenerIsCalledOnceEvenWhenItComesLate) {
  Cancellation cancellation;
  int calls = 0;
  cancellation.Cancel("FIRST");
  cancellation.Cancel("SECOND");

  cancellation.Listen([&] { ++calls; });
  cancellation.Cancel("THIRD");

  EXPECT_EQ(calls, 1);
  EXPECT_EQ(cancellation.why(), "FIRST");
}

}  // namespace
}  // namespace slipway::models
