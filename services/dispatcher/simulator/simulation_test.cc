#include "services/dispatcher/simulator/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/log/log.h"
#include "lib/simulation/campaign.h"

namespace slipway::dispatcher::simulator {
namespace {

using simulation::Campaign;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const bool quiet = [] {
  log::Init("dispatcher-sim", {.level = log::Level::kError});
  return true;
}();

TEST(SimulationTest, SameSeedIsTheSameHistory) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
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

TEST(SimulationTest, AThousandHistoriesHoldEveryInvariantAndCoverEveryKind) {
  const Campaign::Result result =
      Campaign(Simulated(), {.seed = 1, .seeds = 1'000, .threads = 2}).Collect();
  EXPECT_THAT(result.failures, IsEmpty());
  EXPECT_EQ(result.run, 1'000u);
  EXPECT_EQ(result.coverage.at("histories that came to their end"), 1'000);
  for (const char* what : {"agents continued",
                           "agents cut off",
                           "agents killed",
                           "agents rebooted",
                           "agents thawed",
                           "agents told to stop",
                           "applied but told failed",
                           "attempts stalled",
                           "audited facts",
                           "branches moved",
                           "clean restarts",
                           "conflicts",
                           "connections broken",
                           "crash power lost",
                           "crash process killed",
                           "fault at sync",
                           "fault at write",
                           "hellos that hold",
                           "kill switch",
                           "killed after a commit",
                           "killed between a decision and its commit",
                           "leases expired",
                           "messages duplicated",
                           "messages lost",
                           "moments frozen",
                           "op amend ok",
                           "op cancel ok",
                           "op cancel run ok",
                           "op pause ok",
                           "op resume ok",
                           "op retry ok",
                           "op submit ok",
                           "patches refused",
                           "questions FAILURE_PATTERN",
                           "questions POISON",
                           "questions RETRIES_SPENT",
                           "questions SAME_FAILURE",
                           "requests lost",
                           "results accepted",
                           "results stale",
                           "starts that failed",
                           "tasks merged",
                           "waits AGENT",
                           "waits CREDENTIAL_LIMIT",
                           "waits MERGE_LANE",
                           "waits PATH_OVERLAP",
                           "waits PLAN_LIMIT",
                           "waits PROJECT_LIMIT",
                           "wall clock set back",
                           "wall clock set forward",
                           "zombies that hand in"}) {
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
  EXPECT_THAT(result.failures.front(), HasSubstr(": ")) << "names what was breached";
}

INSTANTIATE_TEST_SUITE_P(, MutantTest, ::testing::Range(1, kMutantCount));

}  // namespace
}  // namespace slipway::dispatcher::simulator
