#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"

namespace slipway::inspection {

struct ReplayOptions {
  std::string repository;  // Its git directory; only read.
  bool renames = false;    // Patches as `git diff -M` writes them, else --no-renames.
  size_t commits_max = 0;  // The newest; 0: all.
  absl::Duration time_max = absl::InfiniteDuration();
};

// What became of commits that were replayed as patches.
struct ReplayCounts {
  size_t commits = 0;
  size_t exact = 0;
  size_t empty = 0;                             // Changed nothing: there is no patch.
  std::map<std::string, size_t> refused;        // By reason.
  std::map<std::string, std::string> refusals;  // By reason, the first commit and message.
  // Equal but for modes that git has not written since 2005 (100664), which become the usual ones.
  size_t legacy_modes = 0;
  std::vector<std::string> different;  // Commits for which another tree came out.
  size_t patch_bytes = 0;
};

// Takes every commit but merges, newest first, as the patch that git writes for it, and applies
// that to the tree of its parent with lib/patch alone.
absl::StatusOr<ReplayCounts> ReplayHistory(const ReplayOptions& options, base::Clock& clock);

}  // namespace slipway::inspection
