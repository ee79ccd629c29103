#include "services/planner/domain/plan_edit.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/testkit/matchers.h"
#include "services/planner/domain/draft_trouble.h"
#include "services/planner/domain/estimate.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/policy_check.h"
#include "services/planner/domain/prompt.h"
#include "services/planner/domain/repository_context.h"
#include "services/planner/domain/stored_form.h"

namespace slipway::planner {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Task MakeTask(std::string id) {
  Task task;
  task.id = std::move(id);
  task.title = "T";
  task.description = "do";
  task.intent = "code";
  task.role = "general_builder";
  task.allowed_paths = {"src/**"};
  return task;
}

PlanContent TwoTasks() {
  PlanContent content;
  content.summary = "s";
  content.tasks = {MakeTask("a"), MakeTask("b")};
  content.tasks[1].depends_on = {"a"};
  content.requirements = {{"R1", "x", {"a", "b"}}};
  return content;
}

TEST(EditTasksTest, ChangesOnlyWhatIsGiven) {
  const PlanContent before = TwoTasks();
  TaskEdit edit;
  edit.task = "b";
  edit.priority = 5;
  edit.role = "";
  edit.allowed_paths = {"lib/**"};
  edit.limit_usd_nanos = 2'000'000'000;
  edit.description = std::string(100, 'x');

  ASSERT_OK_AND_ASSIGN(const PlanContent after, EditTasks(before, {edit}, {}));

  EXPECT_EQ(after.tasks[0], before.tasks[0]);
  EXPECT_EQ(after.tasks[1].title, "T");
  EXPECT_EQ(after.tasks[1].role, "general_builder");  // Chosen anew: nobody's wish is left.
  EXPECT_THAT(DescribeChanges(before, after),
              ElementsAre("task b: description rewritten (2 -> 100 bytes)",
                          "task b: allowed_paths +lib/** -src/**", "task b: priority 0 -> 5",
                          "task b: limit policy -> $2.0000"));
}

TEST(EditTasksTest, AddsAndRemovesTasks) {
  const PlanContent before = TwoTasks();
  TaskEdit remove;
  remove.task = "b";
  remove.remove = true;
  Task added = MakeTask("c");
  added.role = "";
  added.complexity = Complexity::kHigh;

  ASSERT_OK_AND_ASSIGN(const PlanContent after, EditTasks(before, {remove}, {added}));

  EXPECT_EQ(after.tasks[1].role, "coding_optimized_builder");
  EXPECT_THAT(after.requirements[0].tasks, ElementsAre("a"));
  EXPECT_THAT(DescribeChanges(before, after), ElementsAre("task b: removed", "task c: added"));
  EXPECT_THAT(DescribeChanges(before, before), IsEmpty());
}

TEST(EditTasksTest, UnknownTaskAndEmptyEditAreRefused) {
  TaskEdit edit;
  edit.task = "ghost";
  EXPECT_THAT(EditTasks(TwoTasks(), {edit}, {}), FailsWithReason("TASK_UNKNOWN"));
  EXPECT_THAT(EditTasks(TwoTasks(), {}, {}), FailsWithReason("EDIT_EMPTY"));
  const std::vector<TaskEdit> many(kEditsMax + 1, edit);
  EXPECT_THAT(EditTasks(TwoTasks(), many, {}), FailsWithReason("PLAN_TOO_LARGE"));
}

TEST(EstimateTasksTest, PricesEachKindOnceAndKeepsToLimits) {
  std::vector<Task> tasks = {MakeTask("a"), MakeTask("b"), MakeTask("c"), MakeTask("d")};
  tasks[1].limit_usd_nanos = 7;
  tasks[2].role = "unknown";
  tasks[3].role = "unknown";
  int asked = 0;
  ProjectPolicy policy;
  policy.attempts.retries_max = 1;

  const std::vector<std::string> unknown = EstimateTasks(
      policy,
      [&](const std::string& role, const TokenEstimate& tokens) -> absl::StatusOr<int64_t> {
        ++asked;
        if (role == "unknown") return absl::NotFoundError("no price");
        return tokens.input + tokens.output;
      },
      tasks);

  EXPECT_EQ(asked, 2);
  EXPECT_THAT(unknown, ElementsAre("unknown"));
  EXPECT_EQ(tasks[0].estimate_usd_nanos, 2 * 30'000);
  EXPECT_EQ(tasks[1].estimate_usd_nanos, 7);
  EXPECT_EQ(tasks[2].estimate_usd_nanos, 0);
  EXPECT_EQ(tasks[0].estimate_duration, absl::Minutes(5));
}

TEST(EstimateTasksTest, AbsurdPriceSaturates) {
  std::vector<Task> tasks = {MakeTask("a")};
  const auto most = std::numeric_limits<int64_t>::max();
  EstimateTasks(
      {}, [&](const auto&, const auto&) { return most; }, tasks);
  EXPECT_EQ(tasks[0].estimate_usd_nanos, most);
}

Project GoodProject() {
  Project project;
  project.id = "shop";
  project.repository = "/repository";
  project.target_branch = "main";
  project.plan_tier = "scripted";
  project.policy.validators = {{.name = "unit-tests", .command = {"python3", "-m", "unittest"}}};
  return project;
}

TEST(CheckProjectTest, NamesTheFieldThatIsWrong) {
  EXPECT_OK(CheckProject(GoodProject()));
  Project project = GoodProject();
  project.plan_tier = " ";
  EXPECT_THAT(CheckProject(project), FailsWithReason("PLAN_TIER_MISSING"));

  struct Bad {
    const char* field;
    void (*spoil)(Project&);
  };
  const Bad cases[] = {
      {"repository", [](Project& p) { p.repository = ""; }},
      {"target_branch", [](Project& p) { p.target_branch = ""; }},
      {"policy.validators[0].name", [](Project& p) { p.policy.validators[0].name = "A b"; }},
      {"policy.validators[0].command", [](Project& p) { p.policy.validators[0].command = {}; }},
      {"policy.validators[0].run_timeout",
       [](Project& p) { p.policy.validators[0].run_timeout = absl::Seconds(-1); }},
      {"policy.validators[0].directory",
       [](Project& p) { p.policy.validators[0].directory = "../x"; }},
      {"policy.validators[0].output_format",
       [](Project& p) { p.policy.validators[0].output_format = "html"; }},
      {"policy.validators[1].name",
       [](Project& p) { p.policy.validators.push_back(p.policy.validators[0]); }},
      {"policy.paths.allowed[1]",
       [](Project& p) {
         p.policy.paths.allowed = {"a", "/b"};
       }},
      {"policy.paths.forbidden[0]", [](Project& p) { p.policy.paths.forbidden = {".."}; }},
      {"policy.paths.files_max", [](Project& p) { p.policy.paths.files_max = -1; }},
      {"policy.review.critic_role", [](Project& p) { p.policy.review.critic_role = "A B"; }},
      {"policy.review.council_roles[0]", [](Project& p) { p.policy.review.council_roles = {""}; }},
      {"policy.attempts.retries_max", [](Project& p) { p.policy.attempts.retries_max = 21; }},
      {"policy.attempts.attempt_timeout",
       [](Project& p) { p.policy.attempts.attempt_timeout = absl::Hours(48); }},
      {"policy.attempts.task_limit_usd_nanos",
       [](Project& p) { p.policy.attempts.task_limit_usd_nanos = -1; }},
      {"policy.parallel_max", [](Project& p) { p.policy.parallel_max = -1; }},
  };
  for (const Bad& bad : cases) {
    Project spoiled = GoodProject();
    bad.spoil(spoiled);
    const absl::Status status = CheckProject(spoiled);
    EXPECT_THAT(status, FailsWithReason("POLICY_INVALID")) << bad.field;
    EXPECT_EQ(base::DetailOf(status)->metadata["field"], bad.field);
  }
}

TEST(StoredFormTest, ContentAndPolicySurvive) {
  PlanContent content = TwoTasks();
  content.waves = {{"a"}, {"b"}};
  content.critical_path = {"a", "b"};
  content.risks = {"r"};
  content.estimate_duration = absl::Minutes(7);
  content.tasks[0].attempt_timeout = absl::Seconds(90);
  EXPECT_THAT(DecodeContent(EncodeContent(content)), testkit::IsOkAndHolds(content));

  ProjectPolicy policy = GoodProject().policy;
  policy.paths.forbidden = {"ci/**"};
  policy.attempts.retries_max = 0;
  policy.integration_mode = IntegrationMode::kMerge;
  policy.validators[0].run_timeout = absl::Minutes(3);
  EXPECT_THAT(DecodePolicy(EncodePolicy(policy)), testkit::IsOkAndHolds(policy));
  EXPECT_THAT(DecodePolicy("[]"), FailsWithReason("STORED_PLAN_INVALID"));
  EXPECT_THAT(DecodeContent("{"), FailsWithReason("STORED_PLAN_INVALID"));
}

TEST(RepositoryContextTest, FilesThatTheSpecNamesComeFirst) {
  const std::vector<RepositoryFile> files = {{"README.md", 100},  {"a/deep/old.py", 100},
                                             {"big.py", 1 << 20}, {"link", 10, false},
                                             {"logo.png", 100},   {"src/money.py", 100}};
  EXPECT_THAT(ChooseFiles(files, "Change src/money.py", 1'000),
              ElementsAre("src/money.py", "README.md", "a/deep/old.py"));
  EXPECT_THAT(ChooseFiles(files, "Change money.py", 100), ElementsAre("src/money.py", "README.md"));
}

TEST(RepositoryContextTest, StaysWithinItsTokens) {
  std::vector<RepositoryFile> files;
  for (int i = 0; i < 5'000; ++i) files.push_back({absl::StrCat("src/d", i % 7, "/f", i), 9});
  const std::string context =
      RenderContext(files, true, {{"README.md", "hello"}, {"bin", std::string("\0", 1)}}, 1'000);
  EXPECT_LE(TokensOf(context), 1'000);
  EXPECT_THAT(context, HasSubstr("src/d0/** 715 files"));
  EXPECT_THAT(context, HasSubstr("there are more files"));
  EXPECT_THAT(context, HasSubstr("=== README.md\nhello"));
  EXPECT_THAT(context, Not(HasSubstr("=== bin")));
}

TEST(PromptTest, RigorAndPathsAreSaid) {
  PlanPrompt prompt = {.title = "t", .spec = "s", .rigor = Rigor::kThorough};
  prompt.paths.forbidden = {"ci/**"};
  EXPECT_THAT(FirstPrompt(prompt)[0].text, HasSubstr("risks with what is done"));
  EXPECT_THAT(FirstPrompt(prompt)[0].text, HasSubstr("never touch: ci/**"));
  EXPECT_LT(OutputTokensMax(Rigor::kQuick), OutputTokensMax(Rigor::kStandard));
  EXPECT_LT(OutputTokensMax(Rigor::kStandard), OutputTokensMax(Rigor::kThorough));
  const auto repair = RepairPrompt(prompt, std::string(1 << 20, 'x'), "PLAN_CYCLE: a -> a");
  EXPECT_EQ(repair[2].text.size(), kQuotedReplyBytesMax);
  EXPECT_THAT(repair[3].text, HasSubstr("PLAN_CYCLE: a -> a"));
}

TEST(DraftTroubleTest, WhatPassesWaitsAndWhatCannotHelpEnds) {
  const auto of = [](absl::StatusCode code, const char* reason) {
    return ClassifyTrouble(base::Error(code, reason, "m"));
  };
  EXPECT_EQ(of(absl::StatusCode::kResourceExhausted, "BUDGET_DENIED"), DraftTrouble::kWait);
  EXPECT_EQ(of(absl::StatusCode::kUnavailable, "GATE_CLOSED"), DraftTrouble::kWait);
  EXPECT_EQ(of(absl::StatusCode::kFailedPrecondition, "APPROVAL_REQUIRED"), DraftTrouble::kWait);
  EXPECT_EQ(of(absl::StatusCode::kAborted, "OUTCOME_UNKNOWN"), DraftTrouble::kUnexplained);
  EXPECT_EQ(of(absl::StatusCode::kInternal, ""), DraftTrouble::kUnexplained);
  EXPECT_EQ(of(absl::StatusCode::kInvalidArgument, "PROMPT_TOO_LARGE"), DraftTrouble::kTooLong);
  EXPECT_EQ(of(absl::StatusCode::kFailedPrecondition, "ROUTE_MISSING"), DraftTrouble::kFatal);
}

TEST(DraftTroubleTest, BackoffDoublesToItsLimitAndHeedsTheServer) {
  const absl::Status plain = absl::UnavailableError("down");
  EXPECT_EQ(BackoffAfter(plain, 0), absl::Seconds(1));
  EXPECT_EQ(BackoffAfter(plain, 2), absl::Seconds(4));
  EXPECT_EQ(BackoffAfter(plain, 1'000'000), kBackoffMax);
  const absl::Status asks =
      base::RetryableError(absl::StatusCode::kUnavailable, "GATE_CLOSED", "m", absl::Hours(3));
  EXPECT_EQ(BackoffAfter(asks, 0), absl::Minutes(1));
}

}  // namespace
}  // namespace slipway::planner
