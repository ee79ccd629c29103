#include "services/dispatcher/domain/fair_schedule.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"

namespace slipway::dispatcher {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
constexpr absl::Duration kStep = absl::Minutes(10);

WaitingTask Waiting(const std::string& id, int priority = 0,
                    const std::string& plan = "projects/p/plans/n") {
  return {.key = {.plan = plan, .id = id},
          .priority = priority,
          .ready_time = kNow,
          .remaining_path = absl::Minutes(1),
          .role = "builder"};
}

// A schedule, and agents for as many tasks as a test asks for.
class FairScheduleTest : public ::testing::Test {
 protected:
  void Offer(const std::vector<WaitingTask>& tasks) {
    for (const WaitingTask& task : tasks) {
      tasks_[task.key] = task;
      schedule_.Offer(task);
    }
  }

  // Grants to `agents` agents; the ids of the tasks in the order of their turns.
  std::vector<std::string> Grant(int agents = 100) {
    std::vector<std::string> ids;
    for (; agents > 0; --agents) {
      const std::optional<TaskKey> next = schedule_.Next(now_);
      if (!next.has_value()) break;
      const WaitingTask& task = tasks_.at(*next);
      if (!task.validates) schedule_.BeginChange(task.key, task.footprint);
      schedule_.Begin({.attempt = {.task = task.key, .epoch = ++epoch_},
                       .validates = task.validates,
                       .role = task.role,
                       .host = "hosts/local",
                       .start = now_});
      schedule_.Withdraw(task.key);
      ids.push_back(next->id);
    }
    return ids;
  }

  void Finish(const std::string& id, const std::string& plan = "projects/p/plans/n") {
    schedule_.End({.plan = plan, .id = id}, now_);
    schedule_.EndChange({.plan = plan, .id = id});
  }

  WaitReason Why(const std::string& id, const std::string& plan = "projects/p/plans/n") {
    return schedule_.WhyWaits({.plan = plan, .id = id}).value().reason;
  }

  SchedulingSettings settings_;  // May be changed until the first task is offered.
  FairSchedule schedule_{settings_};
  std::map<TaskKey, WaitingTask> tasks_;
  absl::Duration now_;
  int64_t epoch_ = 0;
};

TEST(UrgencyTest, AStepOfWaitingIsWorthOnePriorityWithoutEnd) {
  EXPECT_EQ(Urgency(3, kNow, kStep), Urgency(0, kNow - 3 * kStep, kStep));
  EXPECT_LT(Urgency(0, kNow - 10 * kStep, kStep), Urgency(9, kNow, kStep));
  EXPECT_LT(Urgency(1, kNow, kStep), Urgency(0, kNow, kStep));
  EXPECT_EQ(Urgency(0, absl::UnixEpoch() - kStep, kStep), -1);
  EXPECT_EQ(Urgency(0, absl::UnixEpoch() - absl::Seconds(1), kStep), -1);
}

TEST_F(FairScheduleTest, HigherPriorityIsFirst) {
  Offer({Waiting("a", 1), Waiting("b", 5), Waiting("c", 3)});
  EXPECT_THAT(Grant(), ElementsAre("b", "c", "a"));
}

TEST_F(FairScheduleTest, WaitingRaisesPriority) {
  WaitingTask old = Waiting("old", 0);
  old.ready_time = kNow - 3 * kStep;
  WaitingTask ancient = Waiting("ancient", 0);
  ancient.ready_time = kNow - 1'000 * kStep;
  Offer({Waiting("new", 2), Waiting("urgent", 9), old, ancient});
  EXPECT_THAT(Grant(), ElementsAre("ancient", "urgent", "old", "new"));
}

TEST_F(FairScheduleTest, TheLongestRemainingPathBreaksTies) {
  WaitingTask longer = Waiting("z");
  longer.remaining_path = absl::Hours(1);
  WaitingTask later = Waiting("0");
  later.ready_time = kNow + absl::Microseconds(1);
  Offer({later, Waiting("b"), Waiting("a"), longer});
  EXPECT_THAT(Grant(), ElementsAre("z", "a", "b", "0"));
}

TEST_F(FairScheduleTest, ValidationComesBeforeNewWork) {
  WaitingTask validation = Waiting("v", 0);
  validation.validates = true;
  Offer({Waiting("a", 9), validation});
  EXPECT_THAT(Grant(), ElementsAre("v", "a"));
}

TEST_F(FairScheduleTest, ProjectsTakeTurnsWhateverTheirPriorities) {
  const std::string other = "projects/q/plans/n";
  Offer({Waiting("a1", 9), Waiting("a2", 9), Waiting("a3", 9), Waiting("b1", 0, other),
         Waiting("b2", 0, other)});
  EXPECT_THAT(Grant(), ElementsAre("a1", "b1", "a2", "b2", "a3"));
}

TEST_F(FairScheduleTest, AProjectOfTwiceTheWeightHasTwiceTheTurns) {
  settings_.projects["projects/q"] = {.weight = 2};
  for (int i = 0; i < 30; ++i) {
    Offer({Waiting(absl::StrCat("a", i)), Waiting(absl::StrCat("b", i), 0, "projects/q/plans/n")});
  }
  const std::vector<std::string> turns = Grant(30);
  EXPECT_EQ(std::count_if(turns.begin(), turns.end(), [](const auto& id) { return id[0] == 'b'; }),
            20);
}

TEST_F(FairScheduleTest, WhatDollarsCostCounts) {
  const std::string other = "projects/q/plans/n";
  Offer({Waiting("a1"), Waiting("b1", 0, other), Waiting("b2", 0, other)});
  schedule_.AddCost("projects/p", 10'000'000'000);
  EXPECT_THAT(Grant(), ElementsAre("b1", "b2", "a1"));
}

struct LimitCase {
  const char* name;
  void (*set)(SchedulingSettings&);
  int parallel_max;
  WaitReason reason;
  const char* other_plan;  // That the limit does not hold back; empty: there is none.
};

class FairScheduleLimit : public ::testing::TestWithParam<LimitCase> {};

TEST_P(FairScheduleLimit, HoldsBackAndSaysSoUntilAnAttemptEnds) {
  SchedulingSettings settings;
  GetParam().set(settings);
  FairSchedule schedule(settings);
  const std::string plan = "projects/p/plans/n";
  schedule.AddRun(plan, kNow, GetParam().parallel_max);
  const auto grant = [&] {
    std::vector<std::string> ids;
    while (const std::optional<TaskKey> next = schedule.Next(absl::ZeroDuration())) {
      schedule.BeginChange(*next, {});
      schedule.Begin({.attempt = {.task = *next, .epoch = 1}, .role = "builder"});
      schedule.Withdraw(*next);
      ids.push_back(next->id);
    }
    return ids;
  };
  for (const char* id : {"a", "b", "c", "d"}) schedule.Offer(Waiting(id));

  EXPECT_THAT(grant(), ElementsAre("a", "b"));
  ASSERT_TRUE(schedule.WhyWaits({plan, "c"}).has_value());
  EXPECT_EQ(schedule.WhyWaits({plan, "c"})->reason, GetParam().reason);
  EXPECT_EQ(schedule.WhyWaits({plan, "d"})->limit, 2);
  EXPECT_EQ(schedule.CountTurns(10, absl::ZeroDuration()), 0);

  if (*GetParam().other_plan != 0) {
    schedule.Offer(Waiting("other", 0, GetParam().other_plan));
    EXPECT_EQ(schedule.CountTurns(10, absl::ZeroDuration()), 1);
    EXPECT_THAT(grant(), ElementsAre("other"));
  }

  schedule.End({plan, "a"}, absl::Seconds(1));
  schedule.EndChange({plan, "a"});
  EXPECT_EQ(schedule.CountTurns(10, absl::ZeroDuration()), 1);
  EXPECT_THAT(grant(), ElementsAre("c"));
  EXPECT_FALSE(schedule.WhyWaits({plan, "c"}).has_value());

  schedule.Withdraw({plan, "d"});
  schedule.End({plan, "b"}, absl::Seconds(1));
  EXPECT_THAT(grant(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    , FairScheduleLimit,
    ::testing::Values(
        LimitCase{"OfThePolicyOfAProject", [](SchedulingSettings&) {}, 2, WaitReason::kProjectLimit,
                  "projects/q/plans/n"},
        LimitCase{"OfAProject",
                  [](SchedulingSettings& s) { s.projects["projects/p"].attempts_max = 2; }, 7,
                  WaitReason::kProjectLimit, "projects/q/plans/n"},
        LimitCase{"OfAPlan", [](SchedulingSettings& s) { s.plan_attempts_max = 2; }, 0,
                  WaitReason::kPlanLimit, "projects/p/plans/m"},
        LimitCase{"OfAMergeLane", [](SchedulingSettings& s) { s.lane_changes_max = 2; }, 0,
                  WaitReason::kMergeLane, "projects/p/plans/m"},
        LimitCase{
            "OfACredential",
            [](SchedulingSettings& s) {
              s.credentials = {{.name = "key", .roles = {"judge", "builder"}, .attempts_max = 2}};
            },
            0, WaitReason::kCredentialLimit, ""}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(FairScheduleTest, TheNewestRunOfAProjectSaysItsLimit) {
  schedule_.AddRun("projects/p/plans/old", kNow, 1);
  schedule_.AddRun("projects/p/plans/n", kNow + absl::Seconds(1), 3);
  Offer({Waiting("a"), Waiting("b"), Waiting("c"), Waiting("d")});
  EXPECT_THAT(Grant(), ElementsAre("a", "b", "c"));
  schedule_.RemoveRun("projects/p/plans/n");
  Finish("a");
  EXPECT_THAT(Grant(), IsEmpty()) << "the old one allows one";
  schedule_.RemoveRun("projects/p/plans/old");
  EXPECT_THAT(Grant(), ElementsAre("d"));
}

TEST_F(FairScheduleTest, ValidationUsesNoCredentialAndNoLane) {
  settings_.lane_changes_max = 1;
  Offer({Waiting("a")});
  EXPECT_THAT(Grant(), ElementsAre("a"));
  schedule_.End({.plan = "projects/p/plans/n", .id = "a"}, now_);
  WaitingTask validation = Waiting("a");
  validation.validates = true;
  Offer({validation, Waiting("b")});
  EXPECT_THAT(Grant(), ElementsAre("a"));
  EXPECT_EQ(Why("b"), WaitReason::kMergeLane);
}

TEST_F(FairScheduleTest, AnOverlappingTaskLetsOthersPassUntilThereAreNone) {
  WaitingTask a = Waiting("a", 9);
  a.footprint = {"src/parse.cc"};
  WaitingTask b = Waiting("b", 8);
  b.footprint = {"src/"};
  WaitingTask c = Waiting("c", 7);
  c.footprint = {"docs/"};
  Offer({a, b, c, Waiting("d", 1)});
  EXPECT_THAT(Grant(2), ElementsAre("a", "c"));
  EXPECT_EQ(Why("b"), WaitReason::kPathOverlap);
  EXPECT_EQ(schedule_.WhyWaits(b.key)->subject, "a");
  EXPECT_THAT(Grant(), ElementsAre("d", "b")) << "an agent is not kept waiting";
}

TEST_F(FairScheduleTest, AnOverlappingTaskHasItsTurnWhenTheOtherHasLanded) {
  WaitingTask a = Waiting("a", 9);
  a.footprint = {"src/"};
  WaitingTask b = Waiting("b", 8);
  b.footprint = {"src/x"};
  Offer({a, b, Waiting("c"), Waiting("d")});
  EXPECT_THAT(Grant(2), ElementsAre("a", "c"));
  schedule_.End(a.key, now_);
  EXPECT_EQ(Why("b"), WaitReason::kPathOverlap) << "its change is still under review";
  schedule_.EndChange(a.key);
  EXPECT_THAT(Grant(), ElementsAre("b", "d"));
}

TEST_F(FairScheduleTest, AnOverlappingTaskIsNotPassedForLongerThanSettingsSay) {
  WaitingTask a = Waiting("a", 9);
  a.footprint = {"src/"};
  WaitingTask b = Waiting("b", 8);
  b.footprint = {"src/"};
  Offer({a, b, Waiting("c"), Waiting("d"), Waiting("e")});
  EXPECT_THAT(Grant(2), ElementsAre("a", "c"));
  EXPECT_EQ(schedule_.CountTurns(10, now_), 3);
  now_ += settings_.overlap_wait - absl::Seconds(1);
  EXPECT_THAT(Grant(1), ElementsAre("d"));
  EXPECT_EQ(schedule_.CountTurns(10, now_), 2);
  now_ += absl::Seconds(1);
  EXPECT_THAT(Grant(1), ElementsAre("b")) << "also when turns were counted meanwhile";
}

TEST_F(FairScheduleTest, PathsAreNotLookedAtWhenSettingsSaySo) {
  settings_.overlap_wait = absl::ZeroDuration();
  WaitingTask a = Waiting("a", 9);
  a.footprint = {"src/"};
  WaitingTask b = Waiting("b", 8);
  b.footprint = {"src/"};
  Offer({a, b, Waiting("c")});
  EXPECT_THAT(Grant(), ElementsAre("a", "b", "c"));
}

TEST_F(FairScheduleTest, CountingTurnsChangesNothing) {
  settings_.plan_attempts_max = 3;
  Offer({Waiting("a", 3), Waiting("b", 2), Waiting("c", 1), Waiting("d", 0)});
  EXPECT_EQ(schedule_.CountTurns(2, now_), 2);
  EXPECT_EQ(schedule_.CountTurns(100, now_), 3);
  const std::vector<ProjectUsage> usage = schedule_.shares().TakeChanged();
  EXPECT_THAT(usage, IsEmpty());
  EXPECT_EQ(Why("a"), WaitReason::kAgent);
  EXPECT_THAT(Grant(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(schedule_.CountTurns(100, now_), 0);
  EXPECT_EQ(Why("d"), WaitReason::kPlanLimit);
}

TEST_F(FairScheduleTest, AnotherOfferReplacesTheOneBefore) {
  Offer({Waiting("a", 1), Waiting("b", 2)});
  Offer({Waiting("a", 3)});
  EXPECT_EQ(schedule_.waiting(), 2u);
  EXPECT_THAT(Grant(), ElementsAre("a", "b"));
}

TEST_F(FairScheduleTest, KnowsHowManyAttemptsAHostHasAndTheOldestWait) {
  WaitingTask old = Waiting("old", 9);
  old.ready_time = kNow - absl::Hours(1);
  Offer({Waiting("a"), old});
  EXPECT_THAT(schedule_.OldestWaits(), ElementsAre(std::pair("projects/p", old.ready_time)));
  EXPECT_THAT(Grant(1), ElementsAre("old"));
  EXPECT_THAT(schedule_.OldestWaits(), ElementsAre(std::pair("projects/p", kNow)));
  EXPECT_EQ(schedule_.OnHost("hosts/local"), 1);
  Finish("old");
  EXPECT_EQ(schedule_.OnHost("hosts/local"), 0);
}

}  // namespace
}  // namespace slipway::dispatcher
