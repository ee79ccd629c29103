#include "services/planner/domain/task_graph.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/testkit/matchers.h"

namespace slipway::planner {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Task MakeTask(std::string id, std::vector<std::string> depends_on, int minutes = 1) {
  Task task;
  task.id = std::move(id);
  task.depends_on = std::move(depends_on);
  task.estimate_duration = absl::Minutes(minutes);
  return task;
}

struct Cycle {
  const char* name;
  std::vector<Task> tasks;
  const char* told;
};

class TaskGraphNames : public ::testing::TestWithParam<Cycle> {};

TEST_P(TaskGraphNames, TheCycle) {
  const absl::StatusOr<TaskGraph> graph = MakeTaskGraph(GetParam().tasks);

  EXPECT_THAT(graph, FailsWithReason("PLAN_CYCLE"));
  EXPECT_THAT(graph.status().message(), HasSubstr(absl::StrCat(": ", GetParam().told, ";")));
}

INSTANTIATE_TEST_SUITE_P(
    , TaskGraphNames,
    ::testing::Values(Cycle{"OfOne", {MakeTask("a", {"a"})}, "a -> a"},
                      Cycle{"OfTwo", {MakeTask("a", {"b"}), MakeTask("b", {"a"})}, "a -> b -> a"},
                      Cycle{"OfThreeGivenInAnotherOrder",
                            {MakeTask("c", {"a"}), MakeTask("a", {"b"}), MakeTask("b", {"c"})},
                            "c -> a -> b -> c"},
                      Cycle{"BehindAChainThatLeadsIn",
                            {MakeTask("start", {}), MakeTask("x", {"start", "a"}),
                             MakeTask("a", {"b"}), MakeTask("b", {"a"})},
                            "a -> b -> a"},
                      Cycle{"BeforeTasksThatHangOnIt",
                            {MakeTask("last", {"middle"}), MakeTask("middle", {"a"}),
                             MakeTask("a", {"b"}), MakeTask("b", {"a", "free"}),
                             MakeTask("free", {})},
                            "a -> b -> a"},
                      Cycle{"OneOfTwo",
                            {MakeTask("p", {"q"}), MakeTask("q", {"p"}), MakeTask("a", {"b"}),
                             MakeTask("b", {"a"})},
                            "p -> q -> p"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(TaskGraphTest, LongCycleIsCutInTheMessage) {
  std::vector<Task> tasks;
  for (int i = 0; i < 10'000; ++i) {
    tasks.push_back(MakeTask(absl::StrCat("t", i), {absl::StrCat("t", (i + 1) % 10'000)}));
  }

  const absl::StatusOr<TaskGraph> graph = MakeTaskGraph(tasks);

  EXPECT_THAT(graph.status().message(), HasSubstr("t0 -> t1 -> t2"));
  EXPECT_THAT(graph.status().message(), HasSubstr("(9980 more) -> t0"));
  EXPECT_LT(graph.status().message().size(), 400);
}

TEST(TaskGraphTest, UnknownDependencyAndDuplicateAndEmptyAreNamed) {
  const absl::StatusOr<TaskGraph> unknown = MakeTaskGraph({MakeTask("a", {"ghost"})});
  EXPECT_THAT(unknown, FailsWithReason("DEPENDENCY_UNKNOWN"));
  EXPECT_THAT(unknown.status().message(), HasSubstr("'ghost'"));
  EXPECT_THAT(MakeTaskGraph({MakeTask("a", {}), MakeTask("a", {})}),
              FailsWithReason("TASK_DUPLICATE"));
  EXPECT_THAT(MakeTaskGraph({}), FailsWithReason("PLAN_EMPTY"));
}

TEST(TaskGraphTest, OrderIsStableAndWavesAndCriticalPathFollowTheDiamond) {
  const std::vector<Task> tasks = {MakeTask("end", {"slow", "fast"}), MakeTask("fast", {"begin"}),
                                   MakeTask("slow", {"begin"}, 10), MakeTask("begin", {}),
                                   MakeTask("alone", {}, 3)};

  ASSERT_OK_AND_ASSIGN(const TaskGraph graph, MakeTaskGraph(tasks));

  EXPECT_THAT(graph.order, ElementsAre(3, 1, 2, 0, 4));
  EXPECT_THAT(graph.waves, ElementsAre(ElementsAre(3, 4), ElementsAre(1, 2), ElementsAre(0)));
  EXPECT_THAT(graph.critical_path, ElementsAre(3, 2, 0));
  EXPECT_EQ(graph.duration, absl::Minutes(12));
}

TEST(TaskGraphTest, OrderedTasksKeepTheirOrder) {
  ASSERT_OK_AND_ASSIGN(const TaskGraph graph,
                       MakeTaskGraph({MakeTask("z", {}), MakeTask("m", {}), MakeTask("a", {"z"})}));
  EXPECT_THAT(graph.order, ElementsAre(0, 1, 2));
}

TEST(TaskGraphTest, ChainOfTenThousandNeedsNoStack) {
  std::vector<Task> tasks = {MakeTask("t0", {})};
  for (int i = 1; i < 10'000; ++i) {
    tasks.push_back(MakeTask(absl::StrCat("t", i), {absl::StrCat("t", i - 1)}));
  }
  ASSERT_OK_AND_ASSIGN(const TaskGraph graph, MakeTaskGraph(tasks));
  EXPECT_EQ(graph.waves.size(), 10'000);
  EXPECT_EQ(graph.critical_path.size(), 10'000);
  EXPECT_EQ(graph.duration, absl::Minutes(10'000));
}

}  // namespace
}  // namespace slipway::planner
