#include "services/dispatcher/domain/board.h"

#include <gmock/gmock.h>

#include "lib/testkit/fake_clock.h"

namespace slipway::dispatcher {
namespace {

using enum TaskState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kBoardPlan[] = "projects/demo/plans/2026-11-21-export";

// A pointer to the task of that id.
MATCHER_P(IsTask, id, "") { return arg->key.id == id; }

class BoardTest : public ::testing::Test {
 protected:
  BoardTest() { board_.AddRun({.plan = kBoardPlan}); }

  Task& Add(const std::string& id, std::vector<std::string> depends_on = {},
            TaskState state = kBlocked) {
    return board_.AddTask({.key = KeyOf(id),
                           .position = next_position_++,
                           .spec = {.id = id, .depends_on = std::move(depends_on)},
                           .state = state});
  }

  static TaskKey KeyOf(const std::string& id) { return {.plan = kBoardPlan, .id = id}; }

  std::vector<std::string> DependentsOf(const std::string& id) {
    std::vector<std::string> ids;
    for (const Task* const task : board_.DependentsOf(KeyOf(id))) ids.push_back(task->key.id);
    return ids;
  }

  testkit::FakeClock clock_;
  Board board_{clock_};
  int next_position_ = 0;
};

TEST_F(BoardTest, DependentsAreInTheOrderOfThePlan) {
  Add("root");
  Add("z", {"root"});
  Add("a", {"root", "z"});

  EXPECT_THAT(DependentsOf("root"), ElementsAre("z", "a"));
  EXPECT_THAT(DependentsOf("z"), ElementsAre("a"));
  EXPECT_THAT(DependentsOf("a"), IsEmpty());
}

TEST_F(BoardTest, ATaskThatNamesADependencyTwiceIsOneDependent) {
  Add("root");
  Add("a", {"root", "root"});

  EXPECT_THAT(DependentsOf("root"), ElementsAre("a"));
}

TEST_F(BoardTest, DependentsFollowChangesOfThePlan) {
  Add("root");
  Task& a = Add("a", {"root"});
  EXPECT_THAT(DependentsOf("root"), ElementsAre("a"));

  Add("b", {"root"});
  board_.SetSpec(a, {.id = "a"});

  EXPECT_THAT(DependentsOf("root"), ElementsAre("b"));
}

TEST_F(BoardTest, OpenTasksAreThoseThatHaveNotEnded) {
  Task& a = Add("a", {}, kReady);
  Add("b", {}, kMerged);
  EXPECT_EQ(board_.CountOpen(kBoardPlan), 1);

  board_.Move(a, TaskCommand::kCancel, kCancelled);
  EXPECT_EQ(board_.CountOpen(kBoardPlan), 0);

  board_.Move(a, TaskCommand::kRevive, kReady);
  EXPECT_EQ(board_.CountOpen(kBoardPlan), 1);
}

TEST_F(BoardTest, ATaskWhoseSpecWasSetIsStoredWithIt) {
  Task& a = Add("a", {}, kReady);
  board_.TakeChanges(/*commit=*/1);
  board_.Touch(a);
  EXPECT_FALSE(board_.TakeChanges(/*commit=*/1).tasks.at(0).spec_changed);

  board_.SetSpec(a, {.id = "a", .description = "another"});

  EXPECT_TRUE(board_.TakeChanges(/*commit=*/1).tasks.at(0).spec_changed);
}

TEST_F(BoardTest, TouchedTasksAreTakenOnceAlsoWhenTheirChangesWereStored) {
  Task& a = Add("a", {}, kReady);
  Add("b", {}, kReady);
  board_.TakeChanges(/*commit=*/1);
  EXPECT_THAT(board_.TakeTouched(), ElementsAre(IsTask("a"), IsTask("b")));

  board_.Touch(a);

  EXPECT_THAT(board_.TakeTouched(), ElementsAre(IsTask("a")));
  EXPECT_THAT(board_.TakeTouched(), IsEmpty());
}

TEST_F(BoardTest, ARestoredBoardHasEveryTaskToLookAt) {
  Board restored(clock_);
  restored.Restore({.runs = {{.plan = kBoardPlan}},
                    .tasks = {{.key = KeyOf("a"), .state = kInspecting},
                              {.key = KeyOf("b"), .state = kMerged}}});

  EXPECT_EQ(restored.CountOpen(kBoardPlan), 1);
  EXPECT_THAT(restored.TakeTouched(), ElementsAre(IsTask("a"), IsTask("b")));
}

}  // namespace
}  // namespace slipway::dispatcher
