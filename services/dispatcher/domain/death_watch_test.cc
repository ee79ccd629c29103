#include "services/dispatcher/domain/death_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway::dispatcher {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const TaskKey kA{.plan = "projects/p/plans/n", .id = "a"};
const TaskKey kB{.plan = "projects/p/plans/n", .id = "b"};
const TaskKey kC{.plan = "projects/p/plans/n", .id = "c"};

TEST(DeathWatchTest, DeathsOfOneTaskAreItsOwn) {
  DeathWatch watch(absl::Seconds(30));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(watch.Note(kA, "hosts/x", absl::Seconds(i)).is_shared);
}

TEST(DeathWatchTest, WhatEndsSeveralTasksOfAHostAtOnceIsTheHosts) {
  DeathWatch watch(absl::Seconds(30));
  EXPECT_FALSE(watch.Note(kA, "hosts/x", absl::Seconds(1)).is_shared);
  const DeathWatch::Verdict second = watch.Note(kB, "hosts/x", absl::Seconds(2));
  EXPECT_TRUE(second.is_shared);
  EXPECT_THAT(second.exonerated, ElementsAre(kA));
  const DeathWatch::Verdict third = watch.Note(kC, "hosts/x", absl::Seconds(3));
  EXPECT_TRUE(third.is_shared);
  EXPECT_THAT(third.exonerated, IsEmpty()) << "each is told once";
}

TEST(DeathWatchTest, OtherHostsAndOtherTimesSayNothing) {
  DeathWatch watch(absl::Seconds(30));
  EXPECT_FALSE(watch.Note(kA, "hosts/x", absl::Seconds(1)).is_shared);
  EXPECT_FALSE(watch.Note(kB, "hosts/y", absl::Seconds(2)).is_shared);
  EXPECT_FALSE(watch.Note(kC, "hosts/x", absl::Seconds(32)).is_shared);
}

TEST(DeathWatchTest, RemembersABoundedNumber) {
  DeathWatch watch(absl::Hours(1));
  for (int i = 0; i < 10'000; ++i) watch.Note(kA, "hosts/x", absl::Seconds(i / 100));
  EXPECT_TRUE(watch.Note(kB, "hosts/x", absl::Seconds(101)).is_shared);
}

}  // namespace
}  // namespace slipway::dispatcher
