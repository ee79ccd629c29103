#include "services/ledger/simulator/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "lib/log/log.h"
#include "lib/simulation/campaign.h"

namespace slipway::ledger::simulator {
namespace {

using simulation::Campaign;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The stores of thousands of histories warn of every overrun.
const bool quiet = [] {
  log::Init("ledger-sim", {.level = log::Level::kError});
  return true;
}();

TEST(SimulationTest, SameSeedIsTheSameHistory) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Simulation first({.seed = seed});
    Simulation second({.seed = seed});
    EXPECT_EQ(first.Run(), absl::OkStatus());
    EXPECT_EQ(second.Run(), absl::OkStatus());
    EXPECT_EQ(first.digest(), second.digest());
    EXPECT_EQ(first.coverage(), second.coverage());
    Simulation other({.seed = seed + 100});
    EXPECT_EQ(other.Run(), absl::OkStatus());
    EXPECT_NE(first.digest(), other.digest());
  }
}

TEST(SimulationTest, AThousandHistoriesAgreeWithTheModelAndCoverEveryKind) {
  const Campaign::Result result =
      Campaign(Simulated(), {.seed = 1, .seeds = 1'000, .threads = 2}).Collect();
  EXPECT_THAT(result.failures, IsEmpty());
  EXPECT_EQ(result.run, 1'000u);
  for (const char* what : {"op reserve",
                           "op settle",
                           "op release",
                           "op extend",
                           "op top_up",
                           "op adjust",
                           "op set_budget",
                           "op delete_budget",
                           "op freeze_scope",
                           "op import_prices",
                           "op close_owner",
                           "expiries",
                           "denied LIMIT",
                           "denied HELD_BY_SIBLINGS",
                           "denied NEVER_FITS",
                           "denied FROZEN",
                           "denied NO_PRICE",
                           "denied NO_BUDGET",
                           "refused KEY_REUSED",
                           "refused KEY_INVALID",
                           "refused AMOUNT_INVALID",
                           "refused SCOPE_INVALID",
                           "refused LIFETIME_INVALID",
                           "refused RESERVATION_CLOSED",
                           "refused RESERVATION_UNKNOWN",
                           "refused ENVELOPE_CLOSED",
                           "refused VERSION_MISMATCH",
                           "refused TIME_ZONE_FIXED",
                           "refused OWNER_FENCED",
                           "refused PRICE_SUSPICIOUS",
                           "crash power lost",
                           "crash process killed",
                           "crash at write",
                           "crash at sync",
                           "abort after read",
                           "abort after write",
                           "abort after sync",
                           "start failed at read",
                           "start failed at write",
                           "start failed at sync",
                           "failed at append to the log",
                           "failed at sync of the log",
                           "failed at log begun again",
                           "failed at sync of a log begun again",
                           "failed at commit to the tables",
                           "failed at sync of the tables",
                           "failed at checkpoint",
                           "failed at sync of a checkpoint",
                           "crash before the tables had it",
                           "decisions brought into the tables",
                           "clean restarts",
                           "sectors torn",
                           "unacknowledged changes absent",
                           "unacknowledged changes present",
                           "answers lost",
                           "requests lost",
                           "requests duplicated",
                           "requests retried",
                           "days crossed",
                           "months crossed",
                           "clock stepped back",
                           "clock stepped forward",
                           "audited facts"}) {
    const auto found = result.coverage.find(what);
    EXPECT_TRUE(found != result.coverage.end() && found->second > 0) << what << " never occurred";
  }
}

class MutantTest : public ::testing::TestWithParam<int> {};

TEST_P(MutantTest, IsFoundWithinFewSeeds) {
  const std::string name = NameOf(static_cast<Mutant>(GetParam()));
  const Campaign::Result result =
      Campaign(Simulated(), {.seed = 1, .seeds = 100, .threads = 2, .mutant = name}).Collect();
  ASSERT_FALSE(result.failures.empty()) << name << " was not found in " << result.run;
  EXPECT_THAT(result.failures.front(), HasSubstr("observed"));
}

INSTANTIATE_TEST_SUITE_P(, MutantTest, ::testing::Range(1, kMutantCount));

}  // namespace
}  // namespace slipway::ledger::simulator
