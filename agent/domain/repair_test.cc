#include "agent/domain/repair.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kStart = absl::Seconds(1'000);

Change Failing(const std::string& tree, int passed = 0) {
  Change change{.tree = tree};
  for (int i = 0; i < passed; ++i) change.outcomes.push_back({.validator = "good"});
  change.outcomes.push_back({.validator = "unit-tests", .exit_code = 1});
  return change;
}

class RepairTest : public ::testing::Test {
 protected:
  Repair::Decision Take(Change change, CheckVerdict verdict = CheckVerdict::kFailed) {
    now_ += absl::Seconds(3);
    return repair_.Take(std::move(change), verdict, now_);
  }

  absl::Duration now_ = kStart;
  Repair repair_{2, kStart, kStart + absl::Minutes(5)};
};

TEST_F(RepairTest, AChangeThatPassesIsHandedIn) {
  const Repair::Decision decision = Take(Change{.tree = "a"}, CheckVerdict::kPassed);

  EXPECT_FALSE(decision.ask);
  EXPECT_EQ(repair_.TakeBest().tree, "a");
}

TEST_F(RepairTest, AChangeThatFailsIsRepairedUntilTheRoundsAreSpent) {
  EXPECT_EQ(Take(Failing("a")).why, "asking for repair 1 of 2");
  EXPECT_EQ(repair_.rounds_left(), 1);
  EXPECT_TRUE(Take(Failing("b")).ask);
  const Repair::Decision last = Take(Failing("c"));

  EXPECT_FALSE(last.ask);
  EXPECT_THAT(last.why, HasSubstr("rounds of repair are spent"));
  EXPECT_EQ(repair_.TakeBest().repair_rounds, 2);
}

TEST_F(RepairTest, RoundsThatTheRunnerUsedCountToo) {
  Change change = Failing("a");
  change.repair_rounds = 1;
  EXPECT_TRUE(Take(change).ask);
  EXPECT_EQ(repair_.rounds_left(), 0);
  EXPECT_FALSE(Take(Failing("b")).ask);
}

TEST_F(RepairTest, MoreRoundsThanThereAreDoNotMakeMore) {
  Change change = Failing("a");
  change.repair_rounds = 9;
  EXPECT_FALSE(Take(change).ask);
  EXPECT_EQ(repair_.rounds_left(), 0);
}

TEST_F(RepairTest, AValidatorThatCouldNotRunIsNothingToRepair) {
  EXPECT_FALSE(Take(Failing("a"), CheckVerdict::kNotRun).ask);
  EXPECT_TRUE(repair_.has_change());
}

TEST_F(RepairTest, AModelThatRepeatsItselfIsNotAskedAgain) {
  EXPECT_TRUE(Take(Failing("a")).ask);
  const Repair::Decision again = Take(Failing("a"));

  EXPECT_FALSE(again.ask);
  EXPECT_THAT(again.why, HasSubstr("same change"));
  EXPECT_EQ(repair_.TakeBest().repair_rounds, 1);
}

TEST_F(RepairTest, NoRoundBeginsThatCannotEndInTime) {
  now_ = kStart + absl::Minutes(2);
  EXPECT_TRUE(Take(Failing("a")).ask);  // That round took two minutes, three are left.
  now_ = kStart + absl::Minutes(3) + absl::Seconds(10);
  const Repair::Decision decision = Take(Failing("b"));

  EXPECT_FALSE(decision.ask);
  EXPECT_THAT(decision.why, HasSubstr("time does not allow"));
}

TEST_F(RepairTest, TheLastSecondsAreKeptOnceThereIsSomethingToHandIn) {
  EXPECT_EQ(repair_.round_deadline(), kStart + absl::Minutes(5));
  EXPECT_EQ(repair_.check_deadline(), kStart + absl::Minutes(5) - absl::Seconds(5));
  Take(Failing("a"));
  EXPECT_EQ(repair_.round_deadline(), repair_.check_deadline());
}

TEST_F(RepairTest, AShortAttemptKeepsMostOfItsTimeForWork) {
  EXPECT_EQ(Repair(2, kStart, kStart + absl::Seconds(10)).check_deadline(),
            kStart + absl::Seconds(9));
}

TEST_F(RepairTest, HandsInTheChangeOnWhichMostValidatorsPassed) {
  Take(Failing("a", 1));
  Take(Failing("b", 0));
  EXPECT_EQ(repair_.TakeBest().tree, "a");
}

TEST_F(RepairTest, HandsInTheLaterOneOfEquals) {
  Take(Failing("a", 1));
  Take(Failing("b", 1));
  EXPECT_EQ(repair_.TakeBest().tree, "b");
}

TEST_F(RepairTest, AChangeThatCouldNotBeCheckedIsBetterThanOneThatFailed) {
  Take(Failing("a", 3));
  Take(Change{.tree = "b"}, CheckVerdict::kNotRun);
  EXPECT_EQ(repair_.TakeBest().tree, "b");
}

TEST_F(RepairTest, HintsCarryTheEndOfTheOutputOnly) {
  Change change = Failing("a");
  for (int i = 0; i < 5'000; ++i) change.outcomes[0].output_tail += "\xc3\xa9";
  change.outcomes[0].output_tail += "end";
  Take(change);

  const std::string tail = repair_.TakeBest().outcomes[0].output_tail;
  EXPECT_LE(tail.size(), kHintTailBytesMax);
  EXPECT_EQ(tail.substr(0, 2), "\xc3\xa9");
  EXPECT_EQ(tail.substr(tail.size() - 3), "end");
}

TEST(FindingsTextTest, NamesTheCommandItsEndAndItsOutput) {
  const std::string text = FindingsText(
      {{.name = "lint", .command = {"lint"}},
       {.name = "unit-tests", .command = {"python3", "-m", "unittest"}, .directory = "sub"}},
      {{.validator = "lint"},
       {.validator = "unit-tests", .exit_code = 1, .output_tail = "AssertionError: 1998 != 1999"}});

  EXPECT_THAT(text, HasSubstr("'unit-tests' failed with exit code 1."));
  EXPECT_THAT(text, HasSubstr("python3 -m unittest (in sub)"));
  EXPECT_THAT(text, HasSubstr("1998 != 1999"));
  EXPECT_THAT(text, Not(HasSubstr("lint")));
}

TEST(FindingsTextTest, SaysThatTimeRanOut) {
  const ValidatorOutcome outcome{.validator = "slow",
                                 .exit_code = 137,
                                 .timed_out = true,
                                 .run_duration = absl::Milliseconds(2'300)};
  EXPECT_THAT(FindingsText({}, {outcome}), HasSubstr("'slow' ran out of time after 2s."));
  EXPECT_EQ(OutcomeText(outcome), "slow ran out of time after 2s");
}

TEST(FindingsTextTest, IsBoundedWhateverIsPrinted) {
  const ValidatorOutcome outcome{
      .validator = "v", .exit_code = 1, .output_tail = std::string(100'000, 'x') + "the end"};
  const std::string text = FindingsText({}, {outcome});
  EXPECT_LT(text.size(), 8'000u);
  EXPECT_THAT(text, HasSubstr("the end"));
}

TEST(FindingsTextTest, IsEmptyWhenNothingFailed) {
  EXPECT_EQ(FindingsText({}, {}), "");
  EXPECT_EQ(FindingsText({}, {{.validator = "v"}}), "");
}

}  // namespace
}  // namespace slipway::agent
