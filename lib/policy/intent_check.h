#pragma once

#include <vector>

#include "lib/patch/patch.h"
#include "lib/policy/content_check.h"
#include "lib/policy/finding.h"

namespace slipway::policy {

// Judges what a text change does to the file as a whole: TEST_WEAKENING (a test file checks less, a
// threshold falls), SUPPLY_CHAIN (a lock file names a new host or drops checksums) and CHURN (most
// of a file rewritten, and only its white space differs). At most one finding of each code.
std::vector<Finding> CheckIntent(const patch::FileChange& change, const ContentPair& content);

}  // namespace slipway::policy
