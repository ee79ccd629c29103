#include "services/dispatcher/simulator/exploration.h"

#include <gmock/gmock.h>

namespace slipway::dispatcher::simulator {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(ExplorationTest, EveryOrderWithACrashHolds) {
  const Exploration::Result result =
      Exploration({.world = {.faults = 0, .crashes = 1, .ticks = 1}, .depth = 7, .threads = 2})
          .Run();

  EXPECT_THAT(result.breach, IsEmpty());
  EXPECT_TRUE(result.exhausted);
  EXPECT_GT(result.states, 300);
  EXPECT_GT(result.completed, 10);
}

TEST(ExplorationTest, EveryOrderWithALossHolds) {
  const Exploration::Result result =
      Exploration(
          {.world = {.tasks = 2, .faults = 1, .crashes = 0, .ticks = 1}, .depth = 7, .threads = 2})
          .Run();

  EXPECT_THAT(result.breach, IsEmpty());
  EXPECT_TRUE(result.exhausted);
  EXPECT_GT(result.states, 500);
}

TEST(ExplorationTest, ASearchThatIsStoppedSaysSo) {
  const Exploration::Result result = Exploration({.depth = 20, .states_max = 100}).Run();

  EXPECT_FALSE(result.exhausted);
  EXPECT_GE(result.states, 100);
}

TEST(ExplorationTest, EqualChoicesGiveEqualWorlds) {
  SmallWorld one({}), other({});
  for (int i = 0; i < 12; ++i) {
    ASSERT_EQ(one.Choices(), other.Choices());
    one.Choose(0);
    other.Choose(0);
  }

  EXPECT_EQ(one.Describe(), other.Describe());
  EXPECT_THAT(one.breach(), IsEmpty());
}

struct Broken {
  const char* name;
  Mutant mutant;
  SmallWorld::Options world;
  const char* breach;
};
class ExplorationFinds : public ::testing::TestWithParam<Broken> {};

TEST_P(ExplorationFinds, WhatIsBrokenOnPurpose) {
  SmallWorld::Options world = GetParam().world;
  world.mutant = GetParam().mutant;

  const Exploration::Result result =
      Exploration({.world = world, .depth = 12, .states_max = 40'000, .threads = 2}).Run();

  EXPECT_THAT(result.breach, HasSubstr(GetParam().breach));
  EXPECT_THAT(result.path, Not(IsEmpty()));
}

INSTANTIATE_TEST_SUITE_P(
    , ExplorationFinds,
    ::testing::Values(
        Broken{"NoEpochCheck", Mutant::kNoEpochCheck, {}, "accepted and is not stored"},
        Broken{"ReplyBeforeCommit", Mutant::kReplyBeforeCommit, {}, "accepted and is not stored"},
        Broken{"EpochSetBack", Mutant::kEpochSetBack, {}, "I5"},
        Broken{"KeysNeverRevoked", Mutant::kKeysNeverRevoked, {}, "I9"},
        Broken{"MergedTwice",
               Mutant::kMergedTwice,
               {.faults = 1, .crashes = 0, .ticks = 1},
               "landed 2 times"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace slipway::dispatcher::simulator
