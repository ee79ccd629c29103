#include "services/dispatcher/domain/amend_flow.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"

namespace slipway::dispatcher {
namespace {

using enum TaskState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testkit::FailsWithReason;

constexpr char kPlan[] = "projects/demo/plans/2026-11-21-export";

// Run by itself is a method of every test.
using AmendedRun = Run;

TaskSpec Spec(const std::string& id, std::vector<std::string> depends_on = {}) {
  return {.id = id,
          .title = absl::StrCat("Task ", id),
          .description = absl::StrCat("Do ", id),
          .depends_on = std::move(depends_on),
          .intent = "code",
          .role = "simple_builder"};
}

// A run at version 1 with task "x" in a state of the test's choice, and "open", which is not
// merged.
class AmendFlowTest : public ::testing::Test {
 protected:
  AmendFlowTest() : tasks_(board_, settings_, clock_, [] { return 0.0; }) {
    snapshot_.runs.push_back(
        {.plan = kPlan, .title = "Export", .version = 1, .digest = "d1", .tip = "base"});
    AddTask("x", kBlocked);
    AddTask("open", kReady);
  }

  Task& AddTask(const std::string& id, TaskState state, std::vector<std::string> depends_on = {}) {
    snapshot_.tasks.push_back({.key = {.plan = kPlan, .id = id},
                               .position = static_cast<int>(snapshot_.tasks.size()),
                               .spec = Spec(id, std::move(depends_on)),
                               .state = state});
    return snapshot_.tasks.back();
  }

  void AskAbout(Task& task) {
    task.open_checkpoint = 1;
    task.progress.checkpoints = 1;
    snapshot_.checkpoints.push_back({.key = {.task = task.key, .number = 1},
                                     .reason = "RETRIES_SPENT",
                                     .options = {Decision::kRetry}});
  }

  void Begin() { board_.Restore(std::move(snapshot_)); }

  static PlanAmendment Amendment(int version = 2, const std::string& digest = "d2") {
    return {.plan = kPlan, .version = version, .base_version = 1, .actor = "ada", .digest = digest};
  }

  // Of one field of task "x".
  static PlanAmendment ChangeOf(const std::string& field) {
    PlanAmendment amendment = Amendment();
    TaskSpec spec = Spec("x", {"open"});
    spec.description = "Do it well";
    spec.priority = 7;
    spec.limit_usd_nanos = 5;
    amendment.changed.push_back({.spec = spec, .fields = {field}});
    return amendment;
  }

  Task& GetTask(const std::string& id) { return *board_.FindTask({.plan = kPlan, .id = id}); }

  testkit::FakeClock clock_{absl::FromUnixSeconds(1'000)};
  Settings settings_;
  Board board_{clock_};
  TaskFlow tasks_;
  AmendFlow flow_{board_, tasks_, clock_};
  Snapshot snapshot_;
};

// What an amendment of each kind makes of a task in each state; absent: TASKS_BEGUN.
struct Outcome {
  TaskState state;
  std::optional<TaskState> priority_changed;
  std::optional<TaskState> description_changed;
  std::optional<TaskState> dependency_added;
  std::optional<TaskState> removed;
};
constexpr std::nullopt_t kRefused = std::nullopt;
const Outcome kOutcomes[] = {
    {kBlocked, kReady, kReady, kBlocked, kSkipped},  // Nothing holds it but its state.
    {kReady, kReady, kReady, kBlocked, kSkipped},
    {kRunning, kRefused, kRefused, kRefused, kRefused},
    {kInspecting, kRefused, kRefused, kRefused, kRefused},
    {kValidating, kRefused, kRefused, kRefused, kRefused},
    {kJudging, kRefused, kRefused, kRefused, kRefused},
    {kMerging, kRefused, kRefused, kRefused, kRefused},
    {kMerged, kRefused, kRefused, kRefused, kRefused},
    {kRetryWait, kRetryWait, kRetryWait, kBlocked, kSkipped},
    {kPaused, kPaused, kPaused, kBlocked, kSkipped},
    {kNeedsHuman, kNeedsHuman, kReady, kBlocked, kSkipped},
    {kFailed, kRefused, kRefused, kRefused, kRefused},
    {kCancelled, kRefused, kRefused, kRefused, kRefused},
    {kSkipped, kRefused, kRefused, kRefused, kRefused},
};

class AmendStateTest : public AmendFlowTest, public ::testing::WithParamInterface<Outcome> {
 protected:
  void Expect(const PlanAmendment& amendment, std::optional<TaskState> outcome) {
    Task& task = snapshot_.tasks[0];
    task.state = GetParam().state;
    if (task.state == kNeedsHuman) AskAbout(task);
    Begin();
    board_.TakeChanges(/*commit=*/1);

    const absl::StatusOr<AmendedRun> checked = flow_.Amend(amendment, /*validate_only=*/true);

    EXPECT_TRUE(board_.TakeChanges(/*commit=*/1).events.empty()) << "a check changes nothing";
    const absl::StatusOr<AmendedRun> amended = flow_.Amend(amendment, /*validate_only=*/false);
    EXPECT_EQ(checked.status(), amended.status());
    if (outcome.has_value()) {
      ASSERT_OK(amended);
      EXPECT_EQ(amended->version, 2);
      EXPECT_EQ(Name(GetTask("x").state), Name(*outcome));
      return;
    }
    EXPECT_THAT(amended, FailsWithReason("TASKS_BEGUN"));
    EXPECT_THAT(std::string(amended.status().message()),
                HasSubstr(absl::StrCat("'x' is ", Name(GetParam().state))));
    EXPECT_EQ(GetTask("x").state, GetParam().state);
    EXPECT_EQ(GetTask("x").spec, Spec("x"));
    EXPECT_TRUE(board_.TakeChanges(/*commit=*/1).tasks.empty());
    EXPECT_EQ(board_.FindRun(kPlan)->version, 1);
  }
};

TEST_P(AmendStateTest, PriorityChanges) {
  Expect(ChangeOf("priority"), GetParam().priority_changed);
}
TEST_P(AmendStateTest, DescriptionChanges) {
  Expect(ChangeOf("description"), GetParam().description_changed);
}
TEST_P(AmendStateTest, ADependencyIsAdded) {
  Expect(ChangeOf("depends_on"), GetParam().dependency_added);
}
TEST_P(AmendStateTest, TheTaskIsRemoved) {
  PlanAmendment amendment = Amendment();
  amendment.removed = {"x"};
  Expect(amendment, GetParam().removed);
}
INSTANTIATE_TEST_SUITE_P(EveryState, AmendStateTest, ::testing::ValuesIn(kOutcomes),
                         [](const auto& info) { return std::string(Name(info.param.state)); });

TEST_F(AmendFlowTest, TheTableOfOutcomesHasEveryState) {
  EXPECT_EQ(std::size(kOutcomes), static_cast<size_t>(kTaskStates));
}

TEST_F(AmendFlowTest, OnlyNamedFieldsChange) {
  snapshot_.tasks[0].state = kReady;
  snapshot_.tasks[0].spec.description = "As a person said at a checkpoint";
  Begin();
  PlanAmendment amendment = ChangeOf("priority");

  ASSERT_OK(flow_.Amend(amendment, false));

  EXPECT_EQ(GetTask("x").spec.priority, 7);
  EXPECT_EQ(GetTask("x").spec.description, "As a person said at a checkpoint");
  amendment.version = 3;
  amendment.base_version = 2;
  amendment.changed[0].fields = {"id"};
  EXPECT_THAT(flow_.Amend(amendment, false), FailsWithReason("TASK_INVALID"));
}

TEST_F(AmendFlowTest, ATaskWithAnAgentHasBegun) {
  Task& task = snapshot_.tasks[0];
  task.state = kReady;
  task.epoch = 1;
  snapshot_.attempts.push_back({.key = task.attempt(), .state = AttemptState::kOffered});
  Begin();
  const absl::StatusOr<AmendedRun> amended = flow_.Amend(ChangeOf("priority"), false);
  EXPECT_THAT(amended, FailsWithReason("TASKS_BEGUN"));
  EXPECT_THAT(std::string(amended.status().message()), HasSubstr("given to an agent"));
}

TEST_F(AmendFlowTest, ATaskThatPausedWithItsChangeUnderReviewHasBegun) {
  snapshot_.tasks[0].state = kPaused;
  snapshot_.tasks[0].progress.paused_in = kJudging;
  Begin();
  EXPECT_THAT(flow_.Amend(ChangeOf("priority"), false), FailsWithReason("TASKS_BEGUN"));
}

TEST_F(AmendFlowTest, EveryTaskThatHasBegunIsNamedAndNothingHappens) {
  snapshot_.tasks[0].state = kMerged;
  snapshot_.tasks[1].state = kRunning;
  AddTask("later", kBlocked, {"open"});
  Begin();
  PlanAmendment amendment = ChangeOf("priority");
  amendment.removed = {"open", "later"};
  amendment.added = {Spec("new")};

  const absl::StatusOr<AmendedRun> amended = flow_.Amend(amendment, false);

  EXPECT_THAT(amended, FailsWithReason("TASKS_BEGUN"));
  EXPECT_EQ(base::DetailOf(amended.status())->metadata.at("tasks"), "x,open");
  EXPECT_EQ(GetTask("later").state, kBlocked);
  EXPECT_EQ(board_.FindTask({.plan = kPlan, .id = "new"}), nullptr);
}

TEST_F(AmendFlowTest, AddedTasksStandWhereTheirDependenciesPutThem) {
  snapshot_.tasks[0].state = kMerged;
  Begin();
  PlanAmendment amendment = Amendment();
  amendment.added = {Spec("free"), Spec("after-x", {"x"}), Spec("after-open", {"open"}),
                     Spec("after-free", {"free"})};

  ASSERT_OK(flow_.Amend(amendment, false));

  EXPECT_EQ(GetTask("free").state, kReady);
  EXPECT_EQ(GetTask("after-x").state, kReady);
  EXPECT_TRUE(GetTask("after-x").ready_time.has_value());
  EXPECT_EQ(GetTask("after-open").state, kBlocked);
  EXPECT_EQ(GetTask("after-free").state, kBlocked);
  EXPECT_EQ(GetTask("free").position, 2);
  EXPECT_EQ(GetTask("after-free").position, 5);
}

TEST_F(AmendFlowTest, ARunWhoseLastTasksAreRemovedIsIntegrated) {
  snapshot_.tasks[0].state = kMerged;
  AddTask("later", kBlocked, {"open"});
  Begin();
  PlanAmendment amendment = Amendment();
  amendment.removed = {"open", "later"};

  ASSERT_OK_AND_ASSIGN(const AmendedRun run, flow_.Amend(amendment, false));

  EXPECT_EQ(run.state, RunState::kIntegrating);
  EXPECT_EQ(GetTask("open").reason, kRemovedReason);
  EXPECT_EQ(GetTask("integration").position, 3);
}

TEST_F(AmendFlowTest, WhatDependedOnARemovedTaskMayGoOnWithoutIt) {
  AddTask("later", kBlocked, {"open"});
  Begin();
  PlanAmendment amendment = Amendment();
  amendment.removed = {"open"};
  EXPECT_THAT(flow_.Amend(amendment, false), FailsWithReason("DEPENDENCY_UNKNOWN"));
  amendment.changed.push_back({.spec = Spec("later"), .fields = {"depends_on"}});

  ASSERT_OK(flow_.Amend(amendment, false));

  EXPECT_EQ(GetTask("later").state, kReady);
  PlanAmendment next{.plan = kPlan, .version = 3, .base_version = 2, .digest = "d3"};
  next.removed = {"open"};
  EXPECT_THAT(flow_.Amend(next, false), FailsWithReason("TASKS_BEGUN"));
  next.removed.clear();
  next.added = {Spec("open")};
  EXPECT_THAT(flow_.Amend(next, false), FailsWithReason("TASK_DUPLICATE"));
}

TEST_F(AmendFlowTest, TheWholeGraphIsChecked) {
  AddTask("later", kBlocked, {"x"});
  AddTask("failed", kFailed);
  Begin();
  PlanAmendment amendment = Amendment();
  amendment.changed.push_back({.spec = Spec("x", {"later"}), .fields = {"depends_on"}});
  const absl::StatusOr<AmendedRun> cyclic = flow_.Amend(amendment, false);
  EXPECT_THAT(cyclic, FailsWithReason("PLAN_CYCLE"));
  EXPECT_THAT(std::string(cyclic.status().message()), HasSubstr("later"));
  amendment.changed.clear();
  amendment.added = {Spec("new", {"ghost"})};
  EXPECT_THAT(flow_.Amend(amendment, false), FailsWithReason("DEPENDENCY_UNKNOWN"));
  amendment.added = {Spec("new", {"failed"})};
  const absl::StatusOr<AmendedRun> hopeless = flow_.Amend(amendment, false);
  EXPECT_THAT(hopeless, FailsWithReason("TASK_INVALID"));
  EXPECT_THAT(std::string(hopeless.status().message()), HasSubstr("FAILED"));
  amendment.added = {Spec("x")};
  EXPECT_THAT(flow_.Amend(amendment, false), FailsWithReason("TASK_DUPLICATE"));
  amendment.added.clear();
  EXPECT_THAT(flow_.Amend(amendment, false), FailsWithReason("AMENDMENT_EMPTY"));
  amendment.removed = {"ghost"};
  EXPECT_THAT(flow_.Amend(amendment, false), FailsWithReason("TASK_UNKNOWN"));
  EXPECT_EQ(board_.FindRun(kPlan)->version, 1);
}

TEST_F(AmendFlowTest, VersionsAreTakenOnceAndInOrder) {
  Begin();
  PlanAmendment amendment = ChangeOf("priority");
  amendment.version = 4;
  ASSERT_OK(flow_.Amend(amendment, false));
  board_.TakeChanges(/*commit=*/1);

  ASSERT_OK(flow_.Amend(amendment, false));

  EXPECT_THAT(board_.TakeChanges(/*commit=*/1).events, IsEmpty());
  amendment.digest = "other";
  EXPECT_THAT(flow_.Amend(amendment, false), FailsWithReason("PLAN_SUBMITTED"));
  amendment.version = 3;
  EXPECT_THAT(flow_.Amend(amendment, false), FailsWithReason("VERSION_MISMATCH"));
  amendment.version = 5;
  EXPECT_THAT(flow_.Amend(amendment, false), FailsWithReason("VERSION_MISMATCH"));
  amendment.base_version = 4;
  EXPECT_OK(flow_.Amend(amendment, false));
  amendment.plan = "projects/demo/plans/ghost";
  EXPECT_THAT(flow_.Amend(amendment, false), FailsWithReason("RUN_UNKNOWN"));
}

TEST_F(AmendFlowTest, ARunThatIsIntegratedOrHasEndedIsNotAmendedButKnowsItsVersion) {
  for (const RunState state :
       {RunState::kIntegrating, RunState::kSucceeded, RunState::kFailed, RunState::kCancelled}) {
    Board board(clock_);
    TaskFlow tasks(board, settings_, clock_, [] { return 0.0; });
    AmendFlow flow(board, tasks, clock_);
    Snapshot snapshot = snapshot_;
    snapshot.runs[0].state = state;
    board.Restore(std::move(snapshot));
    EXPECT_THAT(flow.Amend(ChangeOf("priority"), false), FailsWithReason("RUN_STATE"));
    EXPECT_OK(flow.Amend(Amendment(1, "d1"), false)) << "a repeat of what it carries out";
  }
}

TEST_F(AmendFlowTest, ANewLimitLetsATaskGoOnThatPausedForItsBudget) {
  snapshot_.tasks[0].state = kPaused;
  snapshot_.tasks[0].reason = "budget";
  snapshot_.tasks[1].state = kPaused;
  snapshot_.tasks[1].reason = "budget";
  Begin();
  ASSERT_OK(flow_.Amend(ChangeOf("limit_usd_nanos"), false));
  EXPECT_EQ(GetTask("x").state, kReady);
  EXPECT_EQ(GetTask("x").spec.limit_usd_nanos, 5);
  EXPECT_EQ(GetTask("open").state, kPaused);
}

TEST_F(AmendFlowTest, AChangeAnswersTheQuestionAboutItsTask) {
  snapshot_.tasks[0].state = kNeedsHuman;
  AskAbout(snapshot_.tasks[0]);
  Begin();
  ASSERT_OK(flow_.Amend(ChangeOf("description"), false));
  const Checkpoint& checkpoint = *board_.FindCheckpoint({.task = GetTask("x").key, .number = 1});
  EXPECT_EQ(checkpoint.decision, Decision::kEdit);
  EXPECT_EQ(checkpoint.actor, "ada");
  EXPECT_EQ(GetTask("x").open_checkpoint, 0);
}

TEST_F(AmendFlowTest, OneEventTellsTheWholeAmendmentBeforeWhatFollowsFromIt) {
  Begin();
  board_.TakeChanges(/*commit=*/1);
  PlanAmendment amendment = ChangeOf("depends_on");
  amendment.added = {Spec("new", {"open"})};
  ASSERT_OK(flow_.Amend(amendment, false));
  const ChangeSet changes = board_.TakeChanges(/*commit=*/1);
  ASSERT_EQ(changes.events.size(), 2u);
  EXPECT_EQ(changes.events[0].kind, "run.amended");
  EXPECT_THAT(changes.events[0].payload_json, HasSubstr(R"("added":["new"])"));
  EXPECT_THAT(changes.events[0].payload_json, HasSubstr(R"("changed":["x"])"));
  EXPECT_EQ(changes.events[1].kind, "task.state_changed");
  EXPECT_EQ(changes.runs.size(), 1u);
  EXPECT_EQ(changes.tasks.size(), 2u);
}

}  // namespace
}  // namespace slipway::dispatcher
