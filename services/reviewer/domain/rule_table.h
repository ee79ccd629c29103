#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "services/reviewer/domain/change.h"

namespace slipway::reviewer {

// What follows from a finding.
enum class Floor {
  kRefuse,      // Nobody lets it through.
  kQuarantine,  // A person may.
};

// One rule. The table is the whole of what a finding can be; codes that it does not list come from
// reading or applying the patch and refuse.
struct Rule {
  absl::string_view code;
  Floor floor;
  // The setting of the project's policy that turns it off or moves its limit; empty: none does.
  absl::string_view setting;
  // Judges content: off for trusted content.
  bool content;
  absl::string_view meaning;
};

// By code.
const std::vector<Rule>& Rules();

Floor FloorOf(absl::string_view code);

// True when every finding is one that a person may let through, and there is one.
bool HumanMayAccept(const std::vector<Finding>& findings);

}  // namespace slipway::reviewer
