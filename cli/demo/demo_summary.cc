#include "cli/demo/demo_summary.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace slipway::cli {
namespace {

constexpr double kNanosPerUsd = 1e9;

}  // namespace

std::vector<std::string> DemoSummary::Problems() const {
  std::vector<std::string> problems;
  const auto expect = [&problems](bool holds, std::string problem) {
    if (!holds) problems.push_back(std::move(problem));
  };
  const int tasks = view.plan.tasks_size();
  expect(StandingOf(view) == Standing::kSucceeded,
         absl::StrCat("the plan is ", StateText(planner::v1::Plan::State_Name(view.plan.state()))));
  expect(tasks > 0 && story.merged() == tasks,
         absl::StrCat(story.merged(), " of ", tasks, " tasks were merged"));
  expect(story.parallel_max() > 1, "no two tasks were worked on at once");
  expect(story.repairs() > 0, "no agent had its own change repaired");
  expect(story.failed() > 0, "no change failed its validators");
  expect(story.gaps() > 0, "the critic found no gap");
  expect(story.refused() > 0, "no patch was refused");
  expect(story.conflicts() > 0, "no two changes conflicted");
  expect(story.budget_denials() > 0, "no budget refused a call");
  expect(tests.passed && tests.tests > 0, "the sample's tests fail on the merged branch");
  expect(held == 0, absl::StrCat(held, " reservations are still held"));
  return problems;
}

std::string DemoSummary::Json() const {
  nlohmann::ordered_json json = {
      {"tasks", view.plan.tasks_size()},
      {"merged", story.merged()},
      {"retried", story.retried()},
      {"refused", story.refused()},
      {"budget_denials", story.budget_denials()},
      {"conflicts", story.conflicts()},
      {"cost_usd", static_cast<double>(cost_usd_nanos) / kNanosPerUsd},
      {"plan_branch", view.plan.branch()},
      {"seconds", absl::ToDoubleSeconds(absl::Trunc(took, absl::Milliseconds(1)))},
      {"validators_failed", story.failed()},
      {"agent_repairs", story.repairs()},
      {"gaps_found", story.gaps()},
      {"parallel_max", story.parallel_max()},
      {"plan", view.plan.name()},
      {"integration_commit", integration_commit},
      {"tree", tree},
      {"tests", tests.tests},
      {"tests_passed", tests.passed},
      {"held_reservations", held},
      {"cost_usd_nanos", cost_usd_nanos},
      {"problems", Problems()}};
  if (!data.empty()) json["data"] = data;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace slipway::cli
