#include "services/planner/domain/plan_reply.h"

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/testkit/matchers.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/plan_check.h"
#include "services/planner/domain/plan_schema.h"

namespace slipway::planner {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kTask[] =
    R"({"id":"a","title":"A","description":"d","depends_on":[],"intent":"code",
        "complexity":"low","allowed_paths":["src/**"],"acceptance":["works"]})";

std::string WithTask(const std::string& task) {
  return absl::StrCat(R"({"summary":"s","tasks":[)", task, "]}");
}
// The good task with one part replaced.
std::string Changed(const std::string& from, const std::string& to) {
  return WithTask(absl::StrReplaceAll(kTask, {{from, to}}));
}

struct Refusal {
  const char* name;
  std::string reply;
  const char* reason;
  const char* told;
};

class PlanReplyRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(PlanReplyRefuses, WithReasonAndPlace) {
  const absl::StatusOr<PlanContent> content = ReadPlanReply(GetParam().reply);

  EXPECT_THAT(content, FailsWithReason(GetParam().reason));
  EXPECT_THAT(std::string(content.status().message()), HasSubstr(GetParam().told));
}

INSTANTIATE_TEST_SUITE_P(
    , PlanReplyRefuses,
    ::testing::Values(
        Refusal{"Nothing", "", "REPLY_EMPTY", "no text"},
        Refusal{"WhiteSpace", " \n\t", "REPLY_EMPTY", "no text"},
        Refusal{"Prose", "Here is your plan:", "REPLY_NOT_JSON", "$"},
        Refusal{"ProseBefore", absl::StrCat("Sure! ", WithTask(kTask)), "REPLY_NOT_JSON", "byte"},
        Refusal{"ProseAfter", absl::StrCat(WithTask(kTask), " Enjoy!"), "REPLY_NOT_JSON", "byte"},
        Refusal{"TwoObjects", absl::StrCat(WithTask(kTask), WithTask(kTask)), "REPLY_NOT_JSON",
                "byte"},
        Refusal{"CutInAString", R"({"summary":"s","tasks":[{"id":"a)", "REPLY_TRUNCATED",
                "$.tasks[0].id"},
        Refusal{"CutInAnArray", R"({"summary":"s","tasks":[)", "REPLY_TRUNCATED", "$.tasks"},
        Refusal{"FenceNotClosed", absl::StrCat("```json\n", WithTask(kTask)), "REPLY_TRUNCATED",
                "fence"},
        Refusal{"TextAfterTheFence", absl::StrCat("```\n", WithTask(kTask), "\n```\nDone."),
                "REPLY_NOT_JSON", "after the fence"},
        Refusal{"FenceOfAnotherLanguage", absl::StrCat("```yaml\n", WithTask(kTask), "\n```"),
                "REPLY_NOT_JSON", "language"},
        Refusal{"Comment", absl::StrCat("// plan\n", WithTask(kTask)), "REPLY_NOT_JSON", "byte 1"},
        Refusal{"Array", "[]", "REPLY_FIELD_INVALID", "$ is of type array"},
        Refusal{"Number", "12", "REPLY_FIELD_INVALID", "$ is of type number"},
        Refusal{"DuplicateKey", R"({"summary":"s","summary":"t","tasks":[]})",
                "REPLY_DUPLICATE_KEY", "$.summary is"},
        Refusal{"DuplicateKeyInside", Changed(R"("title":"A")", R"("title":"A","title":"B")"),
                "REPLY_DUPLICATE_KEY", "$.tasks[0].title is"},
        Refusal{"UnknownField", R"({"summary":"s","tasks":[],"command":"rm"})",
                "REPLY_FIELD_UNKNOWN", "$.command"},
        Refusal{"UnknownFieldInside", Changed(R"("title")", R"("shell":"x","title")"),
                "REPLY_FIELD_UNKNOWN", "$.tasks[0].shell"},
        Refusal{"NoTasks", R"({"summary":"s"})", "REPLY_FIELD_MISSING", "$.tasks"},
        Refusal{"NoId", Changed(R"("id":"a",)", ""), "REPLY_FIELD_MISSING", "$.tasks[0].id"},
        Refusal{"NullId", Changed(R"("id":"a")", R"("id":null)"), "REPLY_FIELD_MISSING",
                "$.tasks[0].id"},
        Refusal{"IdOfAnotherType", Changed(R"("id":"a")", R"("id":7)"), "REPLY_FIELD_INVALID",
                "$.tasks[0].id is of type number"},
        Refusal{"TasksOfAnotherType", R"({"summary":"s","tasks":{}})", "REPLY_FIELD_INVALID",
                "$.tasks is of type object"},
        Refusal{"TaskOfAnotherType", WithTask("3"), "REPLY_FIELD_INVALID", "$.tasks[0]"},
        Refusal{"ElementOfAnotherType", Changed(R"(["works"])", R"(["works", 3])"),
                "REPLY_FIELD_INVALID", "$.tasks[0].acceptance[1]"},
        Refusal{"NoPaths", Changed(R"(["src/**"])", "[]"), "REPLY_FIELD_INVALID",
                "$.tasks[0].allowed_paths"},
        Refusal{"Intent", Changed(R"("code")", R"("deploy")"), "REPLY_FIELD_INVALID",
                "must be one of code"},
        Refusal{"Complexity", Changed(R"("low")", R"("huge")"), "REPLY_FIELD_INVALID",
                "$.tasks[0].complexity"},
        Refusal{"Priority", Changed(R"("title")", R"("priority":10,"title")"),
                "REPLY_FIELD_INVALID", "$.tasks[0].priority"},
        Refusal{"FractionOfPriority", Changed(R"("title")", R"("priority":1.5,"title")"),
                "REPLY_FIELD_INVALID", "whole number"},
        Refusal{"HugePriority", Changed(R"("title")", R"("priority":99999999999999999999,"title")"),
                "REPLY_FIELD_INVALID", "$.tasks[0].priority"},
        Refusal{"Nul", Changed(R"("id":"a")", R"("id":"a\u0000b")"), "REPLY_FIELD_INVALID", "NUL"},
        Refusal{"NotUtf8", Changed(R"("id":"a")", "\"id\":\"\xff\""), "REPLY_NOT_JSON", "byte"},
        Refusal{"Nested", std::string(100'000, '['), "REPLY_TOO_DEEP", "$[0]"},
        Refusal{"Large", std::string(kReplyBytesMax + 1, ' '), "REPLY_TOO_LARGE", "bytes"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(PlanReplyTest, ReadsEveryField) {
  ASSERT_OK_AND_ASSIGN(const PlanContent content, ReadPlanReply(R"({
    "summary": "s", "test_strategy": "t", "open_questions": ["q"], "risks": ["r"],
    "requirements": [{"id": "R1", "text": "x", "tasks": ["a"]}],
    "tasks": [{"id": "a", "title": "A", "description": "d", "depends_on": ["b"],
      "intent": "docs", "complexity": "high", "allowed_paths": ["docs/**"],
      "context_paths": ["README.md"], "acceptance": ["w"], "priority": 4, "critical": true,
      "phase": "one"}]})"));

  Task task;
  task.id = "a";
  task.title = "A";
  task.description = "d";
  task.depends_on = {"b"};
  task.intent = "docs";
  task.complexity = Complexity::kHigh;
  task.allowed_paths = {"docs/**"};
  task.context_paths = {"README.md"};
  task.acceptance = {"w"};
  task.priority = 4;
  task.critical = true;
  task.phase = "one";
  EXPECT_THAT(content.tasks, ElementsAre(task));
  EXPECT_THAT(content.requirements, ElementsAre(Requirement{"R1", "x", {"a"}}));
  EXPECT_EQ(content.test_strategy, "t");
  EXPECT_THAT(content.open_questions, ElementsAre("q"));
  EXPECT_THAT(content.risks, ElementsAre("r"));
}

TEST(PlanReplyTest, OneFenceIsTolerated) {
  EXPECT_OK(ReadPlanReply(absl::StrCat("\n```json\r\n", WithTask(kTask), "\n```  \n")));
  EXPECT_OK(ReadPlanReply(absl::StrCat("```\n", WithTask(kTask), "```")));
}

TEST(PlanReplyTest, TenThousandTasksAreRefused) {
  std::string tasks = kTask;
  while (tasks.size() < 400'000) absl::StrAppend(&tasks, ",", kTask);
  EXPECT_THAT(ReadPlanReply(WithTask(tasks)), FailsWithReason("REPLY_FIELD_INVALID"));
  std::string small = "0";
  for (int i = 0; i < 60'000; ++i) small += ",0";
  EXPECT_THAT(ReadPlanReply(WithTask(small)), FailsWithReason("REPLY_TOO_LARGE"));
}

// Every prefix of a good reply is refused, by a reason of its own.
TEST(PlanReplyTest, NoPrefixOfAReplyIsAPlan) {
  const std::string reply = WithTask(kTask);
  for (size_t size = 0; size < reply.size(); ++size) {
    EXPECT_FALSE(ReadPlanReply(reply.substr(0, size)).ok()) << size;
  }
  EXPECT_OK(ReadPlanReply(reply));
}

TEST(PlanReplyTest, SchemaNamesTheFieldsThatAreRead) {
  const auto schema = nlohmann::json::parse(kPlanSchema);
  const auto& task = schema["properties"]["tasks"]["items"];
  nlohmann::json all = {{"id", "a"},         {"title", "A"},        {"description", "d"},
                        {"intent", "code"},  {"complexity", "low"}, {"priority", 1},
                        {"critical", false}, {"phase", "p"}};
  for (const auto& [name, field] : task["properties"].items()) {
    if (field["type"] == "array") all[name] = {"x"};
  }
  ASSERT_EQ(all.size(), task["properties"].size());
  EXPECT_OK(ReadPlanReply(WithTask(all.dump())));
  EXPECT_EQ(schema["properties"]["tasks"]["maxItems"], kReplyTasksMax);
  for (const auto& name : task["required"]) {
    nlohmann::json without = all;
    without.erase(name.get<std::string>());
    EXPECT_THAT(ReadPlanReply(WithTask(without.dump())), FailsWithReason("REPLY_FIELD_MISSING"))
        << name;
  }
}

}  // namespace
}  // namespace slipway::planner
