#include "services/planner/domain/plan_delta.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace slipway::planner {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Task MakeTask(const std::string& id) {
  Task task;
  task.id = id;
  task.title = "Do " + id;
  task.estimate_usd_nanos = 10;
  task.estimate_duration = absl::Minutes(1);
  return task;
}

PlanContent MakeContent(const std::vector<std::string>& ids) {
  PlanContent content;
  for (const std::string& id : ids) content.tasks.push_back(MakeTask(id));
  return content;
}

std::vector<std::string> FieldsOf(const PlanDelta& delta) {
  return delta.changed.empty() ? std::vector<std::string>() : delta.changed[0].fields;
}

TEST(PlanDeltaTest, AddedAndRemovedTasksAreTold) {
  const PlanDelta delta = DeltaBetween(MakeContent({"a", "b"}), MakeContent({"b", "c", "d"}));
  ASSERT_EQ(delta.added.size(), 2u);
  EXPECT_EQ(delta.added[0].id, "c");
  EXPECT_THAT(delta.changed, IsEmpty());
  EXPECT_THAT(delta.removed, ElementsAre("a"));
  EXPECT_TRUE(DeltaBetween(MakeContent({"a", "b"}), MakeContent({"b", "a"})).empty());
}

TEST(PlanDeltaTest, EveryFieldThatAPersonCanEditIsNamedAsTheDispatcherNamesIt) {
  using Change = void (*)(Task&);
  const std::vector<std::pair<std::string, Change>> changes = {
      {"title", [](Task& task) { task.title = "x"; }},
      {"description", [](Task& task) { task.description = "x"; }},
      {"depends_on", [](Task& task) { task.depends_on = {"x"}; }},
      {"intent", [](Task& task) { task.intent = "docs"; }},
      {"role", [](Task& task) { task.role = "x"; }},
      {"allowed_paths", [](Task& task) { task.allowed_paths = {"x"}; }},
      {"context_paths", [](Task& task) { task.context_paths = {"x"}; }},
      {"acceptance", [](Task& task) { task.acceptance = {"x"}; }},
      {"priority", [](Task& task) { task.priority = 5; }},
      {"critical", [](Task& task) { task.critical = true; }},
      {"limit_usd_nanos", [](Task& task) { task.limit_usd_nanos = 7; }},
      {"attempt_timeout", [](Task& task) { task.attempt_timeout = absl::Minutes(3); }}};
  for (const auto& [field, change] : changes) {
    PlanContent to = MakeContent({"a"});
    change(to.tasks[0]);
    EXPECT_THAT(FieldsOf(DeltaBetween(MakeContent({"a"}), to)), ElementsAre(field));
  }
}

TEST(PlanDeltaTest, AnEstimateGoesWithAChangeAndIsNone) {
  PlanContent to = MakeContent({"a"});
  to.tasks[0].estimate_duration = absl::Minutes(9);
  to.tasks[0].estimate_usd_nanos = 99;
  EXPECT_TRUE(DeltaBetween(MakeContent({"a"}), to).empty());
  to.tasks[0].priority = 1;
  EXPECT_THAT(FieldsOf(DeltaBetween(MakeContent({"a"}), to)),
              ElementsAre("priority", "estimate_duration"));
}

TEST(PlanDeltaTest, TasksThatDoNotChangeKeepTheEstimatesTheyWereApprovedWith) {
  const PlanContent from = MakeContent({"a", "b"});
  PlanContent to = MakeContent({"a", "b", "c"});
  for (Task& task : to.tasks) task.estimate_usd_nanos = 99;
  to.tasks[1].description = "More";

  KeepEstimates(from, to);

  EXPECT_EQ(to.tasks[0].estimate_usd_nanos, 10);
  EXPECT_EQ(to.tasks[1].estimate_usd_nanos, 99);
  EXPECT_EQ(to.tasks[2].estimate_usd_nanos, 99);
}

TEST(PlanDeltaTest, AnAmendmentSaysWhatItMeansForMoneyAndTime) {
  PlanHead head;
  head.version = 4;
  head.approved_version = 2;
  head.amendment = AmendmentState::kRefused;
  head.amendment_failure = "TASKS_BEGUN: 'a' is MERGED";
  PlanContent from = MakeContent({"a", "b"});
  from.estimate_usd_nanos = 100;
  from.estimate_duration = absl::Minutes(5);
  PlanContent to = MakeContent({"a"});
  to.estimate_usd_nanos = 70;
  to.estimate_duration = absl::Minutes(2);

  const Amendment amendment = DescribeAmendment(head, from, to);

  EXPECT_EQ(amendment.version, 4);
  EXPECT_EQ(amendment.base_version, 2);
  EXPECT_EQ(amendment.estimate_change_usd_nanos, -30);
  EXPECT_EQ(amendment.estimate_change_duration, -absl::Minutes(3));
  EXPECT_THAT(amendment.changes, ElementsAre("task b: removed"));
  EXPECT_EQ(amendment.failure, head.amendment_failure);
}

TEST(AmendmentStateTest, EveryStepIsListedOnceAndEveryStateCanBeLeft) {
  std::set<std::pair<AmendmentState, AmendmentState>> seen;
  std::set<AmendmentState> left;
  for (const AmendmentStep& step : AmendmentSteps()) {
    EXPECT_TRUE(seen.emplace(step.from, step.to).second) << step.cause;
    if (step.from != step.to) left.insert(step.from);
  }
  EXPECT_EQ(left.size(), 4u);
  EXPECT_FALSE(CanStep(AmendmentState::kNone, AmendmentState::kApproved));
  EXPECT_FALSE(CanStep(AmendmentState::kApproved, AmendmentState::kProposed));
}

}  // namespace
}  // namespace slipway::planner
