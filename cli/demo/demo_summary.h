#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/client/plan_view.h"
#include "cli/demo/sample_repository.h"
#include "cli/demo/story.h"

namespace slipway::cli {

// How a demo ended: everything in it was read back from the suite or counted from its events.
struct DemoSummary {
  PlanView view;
  Story story;
  TestRun tests;
  std::string integration_commit;  // Tip of the target branch.
  std::string tree;                // Its tree.
  int held = 0;                    // Holds that nobody settled.
  int64_t cost_usd_nanos = 0;
  absl::Duration took;
  std::string data;  // Empty when the data directory is removed.

  // What is missing from a complete story, a line each.
  std::vector<std::string> Problems() const;

  // As one JSON object.
  std::string Json() const;
};

}  // namespace slipway::cli
