#include "services/dispatcher/domain/plan_graph.h"

#include "lib/testkit/matchers.h"

namespace slipway::dispatcher {
namespace {

using testkit::FailsWithReason;

TaskSpec Task(const std::string& id, std::vector<std::string> depends_on = {},
              absl::Duration estimate = absl::Minutes(1)) {
  return {.id = id,
          .title = id,
          .depends_on = std::move(depends_on),
          .role = "builder",
          .estimate = estimate};
}

TEST(PlanGraphTest, ACycleIsNamed) {
  const absl::Status status = CheckPlan(
      {.tasks = {Task("start"), Task("a", {"c", "start"}), Task("b", {"a"}), Task("c", {"b"})}});
  EXPECT_THAT(status, FailsWithReason("PLAN_CYCLE"));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("c -> b -> a -> c"));
}

TEST(PlanGraphTest, ATaskMayNotDependOnItself) {
  EXPECT_THAT(CheckPlan({.tasks = {Task("a", {"a"})}}), FailsWithReason("PLAN_CYCLE"));
}

TEST(PlanGraphTest, ADependencyNamedTwiceCountsOnce) {
  EXPECT_OK(CheckPlan({.tasks = {Task("a"), Task("b", {"a", "a"})}}));
}

TEST(PlanGraphTest, MeaninglessTasksAreRefused) {
  TaskSpec task = Task("a");
  task.priority = 10;
  EXPECT_THAT(CheckPlan({.tasks = {task}}), FailsWithReason("TASK_INVALID"));
  EXPECT_THAT(CheckPlan({.tasks = {Task("A b")}}), FailsWithReason("TASK_INVALID"));
  EXPECT_THAT(CheckPlan({.tasks = {Task("integration")}}), FailsWithReason("TASK_INVALID"));
}

TEST(PlanGraphTest, TheLongestChainOfDependentsCounts) {
  const auto paths = LongestRemainingPaths(
      {Task("a", {}, absl::Minutes(1)), Task("b", {"a"}, absl::Minutes(10)),
       Task("c", {"a"}, absl::Minutes(2)), Task("d", {"c"}, absl::ZeroDuration())});
  EXPECT_EQ(paths.at("a"), absl::Minutes(11));
  EXPECT_EQ(paths.at("c"), absl::Minutes(3)) << "a task without an estimate is a minute";
}

}  // namespace
}  // namespace slipway::dispatcher
