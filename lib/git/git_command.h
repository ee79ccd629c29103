#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace slipway::git {

struct GitOutput {
  int exit_code = 0;
  std::string out;
  std::string err;
  bool truncated = false;
};

struct GitCommand {
  std::string git_dir;  // Empty: the repository at `directory`.
  std::string directory;
  std::vector<std::string> arguments;
  std::string input;
  size_t output_max = 64u << 20;
  absl::Duration timeout = absl::Minutes(10);
  std::map<std::string, std::string> env;  // Beside what every command gets.
  std::string protocol = "file";           // The only transport that works.
  int64_t file_bytes_max = 0;              // Of each file that it writes; 0: no limit.
};

// Runs the git command line with an environment of its own: no configuration of the user or the
// machine, no hooks, monitors, prompts, replaced objects or lazy fetches, and no transport but
// `protocol`. A command that ends with an error is an OK result with its exit code;
// DEADLINE_EXCEEDED after `timeout`.
absl::StatusOr<GitOutput> RunGitCommand(const GitCommand& command);

}  // namespace slipway::git
