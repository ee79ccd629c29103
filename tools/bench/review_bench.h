#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace slipway::bench {

struct ReviewBenchOptions {
  std::vector<int> sizes = {1'000, 10'000, 100'000, 500'000};  // Files of the repositories.
  int landings = 200;                                          // At each size.
  int ratio_files = 5'000;             // Files of the repository for the peers.
  int rounds = 3;                      // Slices of each contestant.
  int slice = 5;                       // Landings of a slice.
  std::string directory = "/var/tmp";  // A disk, not memory.
  bool json = false;
};

// Measures landings, durably, at each size and beside two ways of doing the same with git, and the
// scans of patches; prints the figures.
absl::Status RunReviewBench(const ReviewBenchOptions& options);

// Adds the command `review`, which leaves its result in `status`; both must outlive the parsing.
void AddReviewCommand(CLI::App& app, absl::Status& status);

}  // namespace slipway::bench
