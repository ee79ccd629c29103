#pragma once

#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/inspection/inspect_patch.h"

namespace slipway::cli {

// What `slipway review check` is asked. Paths are as the person wrote them.
struct CheckOptions {
  std::string repository = ".";
  std::string base = "HEAD";
  std::string patch;        // A file, or "-".
  std::string policy_file;  // Empty: the defaults.
  std::vector<std::string> allowed;
  std::string expected_tree;
  bool tolerant = false;
};

// Judges a patch as the reviewer would, without a suite: the repository is only read. Fails with
// FILE_UNREADABLE, COMMIT_UNKNOWN, NOT_A_REPOSITORY, CONFIG_INVALID, ARGUMENT_INVALID.
absl::StatusOr<inspection::Report> CheckOffline(const CheckOptions& options, std::istream& input);

// The verdict as one line of JSON.
std::string JsonOf(const inspection::Report& report);

}  // namespace slipway::cli
