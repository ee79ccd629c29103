#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/patch/base_view.h"
#include "lib/patch/patch.h"
#include "lib/patch/tree_change.h"
#include "lib/policy/finding.h"
#include "lib/policy/path_policy.h"

namespace slipway::policy {

// A patch that was read and applied, and what it was applied to.
struct AppliedPatch {
  const patch::Patch& patch;
  const std::vector<patch::TreeChange>& changes;
  size_t bytes = 0;
  patch::BaseView& base;
};

// Lines that a patch adds and removes.
struct LineCounts {
  int added = 0;
  int removed = 0;
};
LineCounts CountLines(const patch::Patch& patch);

// Everything that the rules of rule_table.h say against a patch, refusals first, at most
// kReasonsMax. Touched paths must match `task_allowed` and the project's patterns; an empty list
// allows every path. Errors are those of the base.
absl::StatusOr<std::vector<Finding>> CheckPatch(const AppliedPatch& applied,
                                                const PathPolicy& policy,
                                                const std::vector<std::string>& task_allowed);

}  // namespace slipway::policy
