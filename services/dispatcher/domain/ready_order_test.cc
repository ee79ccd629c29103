#include "services/dispatcher/domain/ready_order.h"

#include <gmock/gmock.h>

#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

using ::testing::ElementsAre;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

ReadyTask Task(const std::string& id, int priority = 0, const std::string& project = "projects/p") {
  return {.key = {.plan = project + "/plans/n", .id = id},
          .project = project,
          .priority = priority,
          .ready_time = kNow,
          .remaining_path = absl::Minutes(1)};
}

std::vector<std::string> Order(std::vector<ReadyTask> tasks,
                               std::map<std::string, ProjectShare> shares = {}) {
  std::vector<std::string> ids;
  for (const ReadyTask& task : OrderOfTurns(std::move(tasks), std::move(shares), kNow)) {
    ids.push_back(task.key.id);
  }
  return ids;
}

TEST(ReadyOrderTest, HigherPriorityIsFirst) {
  EXPECT_THAT(Order({Task("a", 1), Task("b", 5), Task("c", 3)}), ElementsAre("b", "c", "a"));
}

TEST(ReadyOrderTest, WaitingRaisesPriorityUpToALimit) {
  ReadyTask old = Task("old", 0);
  old.ready_time = kNow - 3 * kAgingStep;
  ReadyTask ancient = Task("ancient", 0);
  ancient.ready_time = kNow - 1'000 * kAgingStep;
  EXPECT_THAT(Order({Task("new", 2), old}), ElementsAre("old", "new"));
  EXPECT_THAT(Order({Task("urgent", kAgingMax + 1), ancient}), ElementsAre("urgent", "ancient"));
}

TEST(ReadyOrderTest, TheLongestRemainingPathBreaksTies) {
  ReadyTask longer = Task("z");
  longer.remaining_path = absl::Hours(1);
  EXPECT_THAT(Order({Task("a"), longer}), ElementsAre("z", "a"));
}

TEST(ReadyOrderTest, ValidationComesBeforeNewWork) {
  ReadyTask validation = Task("v", 0);
  validation.validates = true;
  EXPECT_THAT(Order({Task("a", 9), validation}), ElementsAre("v", "a"));
}

TEST(ReadyOrderTest, ProjectsTakeTurnsByWhatRuns) {
  EXPECT_THAT(Order({Task("a1", 9), Task("a2", 9), Task("b1", 0, "projects/q")},
                    {{"projects/p", {.running = 1}}}),
              ElementsAre("b1", "a1", "a2"));
}

TEST(ReadyOrderTest, AProjectStaysWithinItsLimit) {
  EXPECT_THAT(
      Order({Task("a"), Task("b"), Task("c")}, {{"projects/p", {.running = 1, .parallel_max = 3}}}),
      ElementsAre("a", "b"));
}

}  // namespace
}  // namespace slipway::dispatcher
