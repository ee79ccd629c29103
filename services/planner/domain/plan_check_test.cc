#include "services/planner/domain/plan_check.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/testkit/matchers.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/path_pattern.h"
#include "services/planner/domain/plan_state.h"
#include "services/planner/domain/role_selection.h"

namespace slipway::planner {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Task MakeTask(std::string id, std::vector<std::string> depends_on = {}) {
  Task task;
  task.id = std::move(id);
  task.title = "T";
  task.intent = "code";
  task.depends_on = std::move(depends_on);
  task.allowed_paths = {"src/**"};
  return task;
}

PlanContent Plan(std::vector<Task> tasks) {
  PlanContent content;
  content.tasks = std::move(tasks);
  return content;
}

struct BadTask {
  const char* name;
  void (*spoil)(Task&);
  const char* reason;
};
class CheckPlanRefuses : public ::testing::TestWithParam<BadTask> {};

TEST_P(CheckPlanRefuses, WithItsReason) {
  PlanContent content = Plan({MakeTask("good"), MakeTask("bad")});
  GetParam().spoil(content.tasks[1]);
  EXPECT_THAT(CheckPlan(content), FailsWithReason(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    , CheckPlanRefuses,
    ::testing::Values(
        BadTask{"UpperCaseId", [](Task& t) { t.id = "Bad"; }, "TASK_INVALID"},
        BadTask{"EmptyId", [](Task& t) { t.id = ""; }, "TASK_INVALID"},
        BadTask{"ReservedId", [](Task& t) { t.id = "integration"; }, "TASK_INVALID"},
        BadTask{"Intent", [](Task& t) { t.intent = "deploy"; }, "TASK_INVALID"},
        BadTask{"Priority", [](Task& t) { t.priority = 10; }, "TASK_INVALID"},
        BadTask{"Limit", [](Task& t) { t.limit_usd_nanos = -1; }, "TASK_INVALID"},
        BadTask{"Timeout", [](Task& t) { t.attempt_timeout = absl::Hours(25); }, "TASK_INVALID"},
        BadTask{"Description",
                [](Task& t) { t.description = std::string(kDescriptionBytesMax + 1, 'x'); },
                "TASK_INVALID"},
        BadTask{"Path", [](Task& t) { t.allowed_paths = {"../x"}; }, "PATH_OUTSIDE"},
        BadTask{"ContextPath", [](Task& t) { t.context_paths = {"/etc/passwd"}; }, "PATH_OUTSIDE"},
        BadTask{"Dependency", [](Task& t) { t.depends_on = {"ghost"}; }, "DEPENDENCY_UNKNOWN"},
        BadTask{"Duplicate", [](Task& t) { t.id = "good"; }, "TASK_DUPLICATE"},
        BadTask{"Cycle", [](Task& t) { t.depends_on = {"bad"}; }, "PLAN_CYCLE"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(CheckPlanTest, SizesAreLimited) {
  PlanContent many;
  for (int i = 0; i <= kTasksMax; ++i) many.tasks.push_back(MakeTask(absl::StrCat("t", i)));
  EXPECT_THAT(CheckPlan(many), FailsWithReason("PLAN_TOO_LARGE"));
  PlanContent large;
  for (int i = 0; i < 200; ++i) {
    large.tasks.push_back(MakeTask(absl::StrCat("t", i)));
    large.tasks.back().description = std::string(60'000, 'x');
  }
  EXPECT_THAT(CheckPlan(large), FailsWithReason("PLAN_TOO_LARGE"));
  PlanContent none;
  EXPECT_THAT(CheckPlan(none), FailsWithReason("PLAN_EMPTY"));
}

TEST(CheckPlanTest, RequirementsMustNameTasks) {
  PlanContent content = Plan({MakeTask("a")});
  content.requirements = {{"R1", "x", {"a"}}, {"R2", "y", {}}};
  ASSERT_OK(CheckPlan(content));
  EXPECT_THAT(UncoveredRequirements(content), ElementsAre("R2"));
  content.requirements[1].tasks = {"ghost"};
  EXPECT_THAT(CheckPlan(content), FailsWithReason("REQUIREMENT_INVALID"));
  content.requirements[1] = {"R1", "y", {}};
  EXPECT_THAT(CheckPlan(content), FailsWithReason("REQUIREMENT_INVALID"));
}

TEST(CheckPlanTest, TasksAreOrderedAndWavesSorted) {
  PlanContent content = Plan({MakeTask("z", {"b"}), MakeTask("c"), MakeTask("b")});
  ASSERT_OK(CheckPlan(content));
  EXPECT_EQ(content.tasks[2].id, "z");
  EXPECT_THAT(content.waves, ElementsAre(ElementsAre("b", "c"), ElementsAre("z")));
}

TEST(NormalizePlanTest, CompletesWhatIsMeant) {
  PlanContent content = Plan({MakeTask(" a "), MakeTask("b", {" a", "a"})});
  content.tasks[0].title = "";
  content.tasks[0].intent = "";
  content.tasks[0].allowed_paths = {"src/", "x"};
  NormalizePlan(content);
  EXPECT_EQ(content.tasks[0].id, "a");
  EXPECT_EQ(content.tasks[0].title, "a");
  EXPECT_EQ(content.tasks[0].intent, "code");
  EXPECT_THAT(content.tasks[0].allowed_paths, ElementsAre("src/**", "x"));
  EXPECT_THAT(content.tasks[1].depends_on, ElementsAre("a"));
}

TEST(PathPatternTest, OnlyPathsInsideTheRepositoryPass) {
  for (const char* good : {"README.md", "src/**", "src/*.cc", "**/test_*.py", "a/.github/x", "a..b",
                           "src/", ".gitignore", "ünïcode/é.txt"}) {
    EXPECT_THAT(PathPatternProblem(good), IsEmpty()) << good;
  }
  for (const char* bad :
       {"",      "/etc/passwd", "..",   "../x",        "a/../b",       "a/..",        "./a",
        "a/./b", "a//b",        ".git", ".git/config", "a/.git/hooks", ".GIT/config", "~/x",
        "C:/x",  "a\\b",        "a\nb", "a\x7f",       "src/**.cc",    "\xff",        "/"}) {
    EXPECT_FALSE(PathPatternProblem(bad).empty()) << bad;
  }
  EXPECT_FALSE(PathPatternProblem(std::string("a\0b", 3)).empty());
  EXPECT_FALSE(PathPatternProblem(std::string(kPathBytesMax + 1, 'a')).empty());
}

TEST(RoleForTest, FollowsIntentAndComplexity) {
  EXPECT_EQ(RoleFor("code", Complexity::kLow), "simple_builder");
  EXPECT_EQ(RoleFor("code", Complexity::kMedium), "general_builder");
  EXPECT_EQ(RoleFor("code", Complexity::kHigh), "coding_optimized_builder");
  EXPECT_EQ(RoleFor("test", Complexity::kLow), "simple_builder");
  EXPECT_EQ(RoleFor("refactor", Complexity::kLow), "general_builder");
  EXPECT_EQ(RoleFor("refactor", Complexity::kMedium), "coding_optimized_builder");
  EXPECT_EQ(RoleFor("docs", Complexity::kLow), "mechanical_worker");
  EXPECT_EQ(RoleFor("config", Complexity::kHigh), "general_builder");
  EXPECT_EQ(RoleFor("anything", Complexity::kHigh), "general_builder");
}

TEST(CheckSpecTest, NamesWhatIsWrong) {
  EXPECT_OK(CheckSpec("do it"));
  EXPECT_OK(CheckSpec(std::string(kSpecBytesMax, 'x')));
  EXPECT_THAT(CheckSpec(""), FailsWithReason("SPEC_EMPTY"));
  EXPECT_THAT(CheckSpec("\n \t\r\n"), FailsWithReason("SPEC_EMPTY"));
  EXPECT_THAT(CheckSpec(std::string(kSpecBytesMax + 1, 'x')), FailsWithReason("SPEC_TOO_LARGE"));
  EXPECT_THAT(CheckSpec("a\xc3"), FailsWithReason("SPEC_NOT_TEXT"));
  EXPECT_THAT(CheckSpec("abc\xff").message(), HasSubstr("byte 3"));
  EXPECT_THAT(CheckSpec(std::string("a\0", 2)), FailsWithReason("SPEC_NOT_TEXT"));
}

TEST(TitleOfTest, IsTheFirstLineWithText) {
  EXPECT_EQ(TitleOf("\n\n##  CSV export \nmore"), "CSV export");
  EXPECT_EQ(TitleOf("#\nplain"), "plain");
  EXPECT_EQ(TitleOf("###"), "plan");
}

TEST(PlanStateTest, NamesAreReversible) {
  for (int state = 1; state <= 8; ++state) {
    const auto value = static_cast<PlanState>(state);
    EXPECT_EQ(PlanStateOf(PlanStateName(value)), value);
  }
  EXPECT_EQ(PlanStateOf("DRAFT"), std::nullopt);
}

TEST(PlanStateTest, EndsLeadNowhereAndNothingSkipsTheApproval) {
  for (const PlanState end :
       {PlanState::kRejected, PlanState::kCompleted, PlanState::kFailed, PlanState::kCancelled}) {
    EXPECT_TRUE(IsFinal(end));
  }
  for (const PlanStep& step : PlanSteps()) {
    EXPECT_EQ(step.to == PlanState::kRunning, step.from == PlanState::kApproved);
    EXPECT_FALSE(IsFinal(step.from));
  }
  EXPECT_FALSE(CanStep(PlanState::kProposed, PlanState::kRunning));
}

}  // namespace
}  // namespace slipway::planner
