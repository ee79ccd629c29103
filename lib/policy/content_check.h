#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/patch/patch.h"
#include "lib/policy/finding.h"

namespace slipway::policy {

// The content of a file before and after a change of it; empty where there is none.
struct ContentPair {
  absl::string_view before;
  absl::string_view after;
};

// Judges the lines that a text change adds: UTF8, BIDI, INVISIBLE, CONTROL_CHAR, CONFLICT_MARKER,
// HOMOGLYPH, SECRET, TEST_WEAKENING, CHURN and EXEC_SURFACE (install scripts of a package.json).
// At most one finding of each code; the detail names the line.
std::vector<Finding> CheckText(const patch::FileChange& change, const ContentPair& content);

// Judges the text inside binary content: SECRET.
std::vector<Finding> CheckBinary(const std::string& path, absl::string_view after);

// Judges content as a whole: BINARY_EXEC and LFS.
std::vector<Finding> CheckBytes(const std::string& path, absl::string_view after);

}  // namespace slipway::policy
