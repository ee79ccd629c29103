#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/client/plan_view.h"
#include "cli/output/style.h"

namespace slipway::cli {

// How a state of a task, attempt, run or plan looks: "MERGED", "STATE_RUNNING", ...
Tone ToneOfState(absl::string_view state);
std::string SymbolOfState(absl::string_view state);

struct TreeOptions {
  absl::Time now;
  bool colour = false;
  int width = 100;    // Lines are cut to fit; 0 means as long as they get.
  int lines_max = 0;  // What is in motion is kept, ended tasks are summed up; 0 means no limit.
};

// A plan and its tasks as lines without line breaks: the plan, then one line for each task.
std::vector<std::string> RenderPlanTree(const PlanView& view, const TreeOptions& options);

}  // namespace slipway::cli
