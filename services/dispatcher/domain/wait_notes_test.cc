#include "services/dispatcher/domain/wait_notes.h"

#include <gmock/gmock.h>

#include "services/dispatcher/domain/fair_schedule.h"

namespace slipway::dispatcher {
namespace {

using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr char kPlan[] = "projects/p/plans/n";

TaskKey Key(const std::string& id) { return {.plan = kPlan, .id = id}; }

class WaitNotesTest : public ::testing::Test {
 protected:
  void Offer(const std::string& id, std::vector<std::string> footprint = {}) {
    schedule_.Offer({.key = Key(id), .footprint = std::move(footprint)});
  }
  void Grant(const std::string& id) {
    ASSERT_EQ(schedule_.Next(absl::ZeroDuration()), Key(id));
    schedule_.BeginChange(Key(id), {"src/"});
    schedule_.Begin({.attempt = {.task = Key(id), .epoch = 1}});
    schedule_.Withdraw(Key(id));
  }
  void Update() { notes_.Apply(schedule_.TakeWaitChanges()); }

  SchedulingSettings settings_;
  FairSchedule schedule_{settings_};
  WaitNotes notes_;
};

TEST_F(WaitNotesTest, SayOfEachTaskWhatTheScheduleSays) {
  settings_.plan_attempts_max = 2;
  Offer("a");
  Offer("b", {"src/x"});
  Offer("c");
  Update();
  EXPECT_THAT(notes_.CountOf(kPlan), UnorderedElementsAre(Pair(WaitReason::kAgent, 3)));

  Grant("a");
  ASSERT_EQ(schedule_.Next(absl::ZeroDuration()), Key("c")) << "b overlaps with a";
  Update();
  EXPECT_EQ(notes_.Find(Key("a")), std::nullopt);
  EXPECT_EQ(notes_.Find(Key("b")), (Wait{.reason = WaitReason::kPathOverlap, .subject = "a"}));
  EXPECT_THAT(notes_.Count(),
              UnorderedElementsAre(Pair(WaitReason::kAgent, 1), Pair(WaitReason::kPathOverlap, 1)));

  Grant("c");
  Offer("d");
  Update();
  EXPECT_EQ(notes_.Find(Key("d")), (Wait{.reason = WaitReason::kPlanLimit, .limit = 2}));
}

TEST_F(WaitNotesTest, ATaskThatNeitherChangedNorMovedFollowsItsQueue) {
  settings_.plan_attempts_max = 1;
  Offer("a");
  Offer("b");
  Offer("c");
  Grant("a");
  Update();
  EXPECT_EQ(notes_.Find(Key("c"))->reason, WaitReason::kPlanLimit);

  schedule_.End(Key("a"), absl::Seconds(1));
  const WaitChanges changes = schedule_.TakeWaitChanges();
  EXPECT_THAT(changes.tasks, IsEmpty()) << "one change tells of them all";
  notes_.Apply(changes);

  EXPECT_EQ(notes_.Find(Key("c"))->reason, WaitReason::kAgent);
}

TEST_F(WaitNotesTest, ForgetWhatHasEnded) {
  Offer("a");
  Update();
  schedule_.Withdraw(Key("a"));
  Update();
  EXPECT_EQ(notes_.Find(Key("a")), std::nullopt);
  EXPECT_THAT(notes_.CountOf(kPlan), IsEmpty());
  EXPECT_THAT(notes_.Count(), IsEmpty());
}

}  // namespace
}  // namespace slipway::dispatcher
