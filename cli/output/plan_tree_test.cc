#include "cli/output/plan_tree.h"

#include <gtest/gtest.h>

#include "absl/strings/str_join.h"
#include "cli/output/display_width.h"
#include "cli/output/event_line.h"
#include "cli/output/quantity_text.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::Task;
using planner::v1::Plan;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'060);

void AddTask(PlanView& view, const std::string& id, Task::State state) {
  Task task;
  task.set_name("projects/p/plans/n/tasks/" + id);
  task.set_title("Title of " + id);
  task.set_state(state);
  view.tasks.push_back(task);
}

PlanView RunningView() {
  PlanView view;
  view.plan.set_name("projects/p/plans/n");
  view.plan.set_title("Export");
  view.plan.set_state(Plan::STATE_RUNNING);
  view.run.emplace();
  view.run->set_state(dispatcher::v1::Run::STATE_RUNNING);
  *view.run->mutable_start_time() = rpc::ToProto(kNow - absl::Seconds(60));
  AddTask(view, "parse", Task::STATE_MERGED);
  AddTask(view, "write", Task::STATE_RUNNING);
  AddTask(view, "docs", Task::STATE_BLOCKED);
  view.tasks[1].set_detail("asks the model");
  (*view.tasks[1].mutable_retries())["agent"] = 2;
  view.tasks[2].mutable_spec()->add_depends_on("write");
  view.cost_usd_nanos["projects/p/plans/n/tasks/parse"] = 2'500'000;
  return view;
}

TEST(PlanTree, ShowsTasksWithStateCostAndWhatTheyWaitFor) {
  EXPECT_EQ(absl::StrJoin(RenderPlanTree(RunningView(), {.now = kNow}), "\n"),
            "● Export  running  1/3 merged  $0.0025  1m 00s\n"
            "├─ ✔ parse  Title of parse  merged   $0.0025\n"
            "├─ ● write  Title of write  running  $0.00, 2 retries  asks the model\n"
            "└─ · docs   Title of docs   blocked  $0.00             after write");
}

TEST(PlanTree, SaysWhyATaskWaitsForAnAgent) {
  PlanView view = RunningView();
  AddTask(view, "more", Task::STATE_READY);
  view.tasks.back().mutable_wait()->set_reason(dispatcher::v1::Wait::REASON_PATH_OVERLAP);
  view.tasks.back().mutable_wait()->set_detail("task write is likely to touch the same paths");
  EXPECT_EQ(RenderPlanTree(view, {.now = kNow, .width = 0}).back(),
            "└─ ◌ more   Title of more   ready    $0.00             "
            "waits: task write is likely to touch the same paths");
}

TEST(PlanTree, FitsIntoTheTerminal) {
  for (const std::string& line : RenderPlanTree(RunningView(), {.now = kNow, .width = 50})) {
    EXPECT_LE(DisplayWidth(line), 50) << line;
  }
}

TEST(PlanTree, HidesEndedTasksWhenTheTerminalIsShort) {
  PlanView view = RunningView();
  for (int i = 0; i < 30; ++i) AddTask(view, "t" + std::to_string(i), Task::STATE_MERGED);
  const std::vector<std::string> lines = RenderPlanTree(view, {.now = kNow, .lines_max = 10});
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[3], "└─ … and 31 more");
}

TEST(Standing, WaitsForAPersonWhenNothingElseCanMove) {
  PlanView view = RunningView();
  EXPECT_EQ(StandingOf(view), Standing::kWorking);
  view.tasks[1].set_state(Task::STATE_NEEDS_HUMAN);
  EXPECT_EQ(StandingOf(view), Standing::kWaitsForPerson);
  AddTask(view, "other", Task::STATE_VALIDATING);
  EXPECT_EQ(StandingOf(view), Standing::kWorking);
}

TEST(Standing, APauseThatEndsByItselfIsWork) {
  PlanView view = RunningView();
  view.tasks[1].set_state(Task::STATE_PAUSED);
  EXPECT_EQ(StandingOf(view), Standing::kWaitsForPerson);
  *view.tasks[1].mutable_resume_time() = rpc::ToProto(kNow);
  EXPECT_EQ(StandingOf(view), Standing::kWorking);
}

TEST(EventLine, TellsWhatHappenedToATask) {
  events::v1::Event event;
  event.set_log("dispatcher");
  event.set_plan("projects/p/plans/n");
  event.set_task("projects/p/plans/n/tasks/write");
  *event.mutable_append_time() = rpc::ToProto(absl::FromUnixSeconds(3'661));
  auto& changed = *event.mutable_payload()->mutable_task_state_changed();
  changed.set_to("RETRY_WAIT");
  changed.set_reason("agent");
  changed.set_detail("tests\x1b[31m failed");
  EXPECT_EQ(EventLine(event, {.zone = absl::UTCTimeZone()}),
            "01:01:01  write             ↻ retry wait (agent): tests [31m failed");
}

TEST(EventLine, LeavesOutWhatOnlyMachinesWantToKnow) {
  events::v1::Event event;
  event.mutable_payload()->mutable_attempt_progressed()->set_phase("model");
  EXPECT_EQ(EventLine(event, {.zone = absl::UTCTimeZone()}), "");
  EXPECT_NE(EventLine(event, {.zone = absl::UTCTimeZone(), .everything = true}), "");
}

}  // namespace
}  // namespace slipway::cli
