#include "services/dispatcher/domain/fair_shares.h"

#include <gmock/gmock.h>

namespace slipway::dispatcher {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

AttemptKey AttemptOf(const std::string& project, int epoch = 1) {
  return {.task = {.plan = project + "/plans/n", .id = "t"}, .epoch = epoch};
}

class FairSharesTest : public ::testing::Test {
 protected:
  void Run(const std::string& project, absl::Duration from, absl::Duration to) {
    shares_.Begin(AttemptOf(project), from);
    shares_.End(AttemptOf(project), to);
  }

  SchedulingSettings settings_{.projects = {{"projects/heavy", {.weight = 4}}}};
  FairShares shares_{settings_};
};

TEST_F(FairSharesTest, SlotTimeIsChargedByWeight) {
  shares_.SetActive("projects/a", true);
  shares_.SetActive("projects/heavy", true);
  Run("projects/a", absl::Seconds(10), absl::Seconds(410));
  Run("projects/heavy", absl::Seconds(10), absl::Seconds(410));
  EXPECT_EQ(shares_.VirtualTime("projects/a"), absl::Seconds(400));
  EXPECT_EQ(shares_.VirtualTime("projects/heavy"), absl::Seconds(100));
}

TEST_F(FairSharesTest, ADollarIsWorthSlotTime) {
  shares_.AddCost("projects/a", 1'500'000'000);
  EXPECT_EQ(shares_.VirtualTime("projects/a"), 1.5 * settings_.slot_time_per_usd);
  shares_.AddCost("projects/heavy", 1'500'000'000);
  EXPECT_EQ(shares_.VirtualTime("projects/heavy"), 1.5 / 4 * settings_.slot_time_per_usd);
}

TEST_F(FairSharesTest, ABillTakesAProjectOnlySoFarAhead) {
  shares_.SetActive("projects/a", true);
  shares_.SetActive("projects/b", true);
  Run("projects/a", absl::ZeroDuration(), absl::Hours(1));
  Run("projects/b", absl::ZeroDuration(), absl::Hours(2));
  shares_.AddCost("projects/b", 1'000'000'000'000);
  EXPECT_EQ(shares_.VirtualTime("projects/b"), absl::Hours(1) + FairShares::kLeadMax);
  shares_.AddCost("projects/b", 1);
  EXPECT_EQ(shares_.VirtualTime("projects/b"), absl::Hours(1) + FairShares::kLeadMax);
  EXPECT_EQ(shares_.Totals().at(1).cost_usd_nanos, 1'000'000'000'001);
}

TEST_F(FairSharesTest, AGrantCountsAtOnceAndWhatItDidNotTakeIsGivenBack) {
  shares_.SetActive("projects/a", true);
  shares_.Begin(AttemptOf("projects/a"), absl::Seconds(5));
  EXPECT_EQ(shares_.VirtualTime("projects/a"), FairShares::kProvisional);
  shares_.End(AttemptOf("projects/a"), absl::Seconds(7));
  EXPECT_EQ(shares_.VirtualTime("projects/a"), absl::Seconds(2));
}

TEST_F(FairSharesTest, WhatRunsLongIsChargedWhileItRuns) {
  shares_.SetActive("projects/a", true);
  shares_.Begin(AttemptOf("projects/a"), absl::ZeroDuration());
  shares_.Accrue(absl::Seconds(30));
  EXPECT_EQ(shares_.VirtualTime("projects/a"), FairShares::kProvisional);
  shares_.Accrue(absl::Hours(1));
  EXPECT_EQ(shares_.VirtualTime("projects/a"), absl::Hours(1));
  shares_.End(AttemptOf("projects/a"), absl::Hours(2));
  EXPECT_EQ(shares_.VirtualTime("projects/a"), absl::Hours(2));
}

TEST_F(FairSharesTest, TimeWithoutWorkIsNoCredit) {
  shares_.SetActive("projects/a", true);
  Run("projects/a", absl::ZeroDuration(), absl::Hours(5));
  shares_.SetActive("projects/b", true);
  EXPECT_EQ(shares_.VirtualTime("projects/b"), absl::Hours(5));

  shares_.SetActive("projects/a", false);
  Run("projects/b", absl::ZeroDuration(), absl::Hours(1));
  shares_.SetActive("projects/b", false);
  shares_.SetActive("projects/c", true);

  EXPECT_EQ(shares_.VirtualTime("projects/c"), absl::Hours(6)) << "as the last that was active";
}

TEST_F(FairSharesTest, WhatIsOnlyReservedDoesNotHoldNewcomersBack) {
  shares_.SetActive("projects/a", true);
  for (int i = 0; i < 100; ++i) shares_.Begin(AttemptOf("projects/a", i), absl::ZeroDuration());
  shares_.SetActive("projects/b", true);
  EXPECT_EQ(shares_.VirtualTime("projects/b"), absl::ZeroDuration());
}

TEST_F(FairSharesTest, ARestartGoesOnWithWhatWasStored) {
  shares_.SetActive("projects/a", true);
  shares_.SetActive("projects/b", true);
  Run("projects/a", absl::ZeroDuration(), absl::Minutes(50));
  Run("projects/b", absl::ZeroDuration(), absl::Minutes(10));
  shares_.AddCost("projects/b", 7);
  const std::vector<ProjectUsage> stored = shares_.TakeChanged();
  ASSERT_EQ(stored.size(), 2u);
  EXPECT_THAT(shares_.TakeChanged(), IsEmpty());

  FairShares again(settings_);
  again.Restore(stored);
  again.SetActive("projects/a", true);
  again.SetActive("projects/b", true);
  again.EndRestore();

  EXPECT_EQ(again.Totals(), shares_.Totals()) << "b is owed what it was owed before";
  again.SetActive("projects/new", true);
  EXPECT_EQ(again.VirtualTime("projects/new"), again.VirtualTime("projects/b"));
}

TEST_F(FairSharesTest, OnlyWhatHasEndedIsStored) {
  shares_.SetActive("projects/a", true);
  shares_.Begin(AttemptOf("projects/a"), absl::ZeroDuration());
  shares_.Accrue(absl::Hours(1));
  EXPECT_THAT(shares_.TakeChanged(), IsEmpty());
  shares_.End(AttemptOf("projects/a"), absl::Hours(1));
  EXPECT_THAT(shares_.TakeChanged(), ElementsAre(ProjectUsage{.project = "projects/a",
                                                              .virtual_time = absl::Hours(1),
                                                              .slot_time = absl::Hours(1)}));
}

}  // namespace
}  // namespace slipway::dispatcher
