#include "lib/git/git_command.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/process.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"

namespace slipway::git {

absl::StatusOr<GitOutput> RunGitCommand(const GitCommand& command) {
  base::Process::Options options = {
      .argv = {"git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c",
               "gc.auto=0", "-c", "maintenance.auto=false"},
      .env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
              {"HOME", "/nonexistent"},
              {"LC_ALL", "C"},
              {"GIT_CONFIG_NOSYSTEM", "1"},
              {"GIT_CONFIG_SYSTEM", "/dev/null"},
              {"GIT_CONFIG_GLOBAL", "/dev/null"},
              {"GIT_ATTR_NOSYSTEM", "1"},
              {"GIT_TERMINAL_PROMPT", "0"},
              {"GIT_NO_LAZY_FETCH", "1"},
              {"GIT_NO_REPLACE_OBJECTS", "1"},
              {"GIT_OPTIONAL_LOCKS", "0"},
              {"GIT_ALLOW_PROTOCOL", command.protocol}},
      .directory = command.directory};
  options.env.insert(command.env.begin(), command.env.end());
  if (command.file_bytes_max > 0) {
    // With the signal ignored git says that a file is too large, in place of dying without a word.
    const std::string limit = absl::StrCat("--fsize=", command.file_bytes_max);
    options.argv.insert(options.argv.begin(),
                        {"env", "--ignore-signal=XFSZ", "prlimit", limit, "--"});
  }
  if (!command.git_dir.empty()) options.argv.push_back("--git-dir=" + command.git_dir);
  options.argv.insert(options.argv.end(), command.arguments.begin(), command.arguments.end());
  ASSIGN_OR_RETURN(base::CommandResult result, base::RunCommand(std::move(options), command.timeout,
                                                                command.input, command.output_max));
  const std::string name = command.arguments.empty() ? "" : command.arguments.front();
  if (result.timed_out) {
    return absl::DeadlineExceededError(
        absl::StrCat("git ", name, " took more than ", absl::FormatDuration(command.timeout)));
  }
  if (result.exit.signal != 0 && !result.truncated) {
    return GitCommandFailed(name, absl::StrCat("ended by signal ", result.exit.signal));
  }
  return GitOutput{.exit_code = result.exit.code,
                   .out = std::move(result.out),
                   .err = std::move(result.err),
                   .truncated = result.truncated};
}

}  // namespace slipway::git
