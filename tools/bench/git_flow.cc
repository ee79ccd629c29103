#include "tools/bench/git_flow.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/status_macros.h"
#include "tools/bench/sample_repository.h"

namespace slipway::bench {

absl::StatusOr<GitFlow> GitFlow::Clone(const std::string& source, const std::string& directory,
                                       bool durable) {
  RETURN_IF_ERROR(
      RunGit({.directory = "/", .arguments = {"clone", "-q", "--no-local", source, directory}})
          .status());
  return GitFlow(directory, durable);
}

absl::StatusOr<std::string> GitFlow::Git(GitRun run) {
  if (durable_) run.arguments.insert(run.arguments.begin(), {"-c", "core.fsync=all"});
  return RunGit(run);
}

absl::StatusOr<absl::Duration> GitFlow::LandByWorktree(const std::string& patch) {
  const std::string branch = absl::StrCat("agent-", ++landed_);
  const std::string tree = absl::StrCat(directory_, "-", branch);
  const auto git = [&](const std::string& where, std::vector<std::string> arguments,
                       const std::string& input = "") {
    return Git({.directory = where, .arguments = std::move(arguments), .input = input}).status();
  };
  const absl::Duration started = base::RealClock().Elapsed();
  RETURN_IF_ERROR(git(directory_, {"worktree", "add", "-q", "-b", branch, tree, "main"}));
  RETURN_IF_ERROR(git(tree, {"apply", "--index"}, patch));
  RETURN_IF_ERROR(git(tree, {"commit", "-q", "-m", "Change three files"}));
  RETURN_IF_ERROR(git(directory_, {"merge", "-q", "--squash", branch}));
  const absl::Duration squashed = base::RealClock().Elapsed();
  RETURN_IF_ERROR(git(directory_, {"commit", "-q", "-m", "Change three files"}));
  const absl::Duration committed = base::RealClock().Elapsed();
  RETURN_IF_ERROR(git(directory_, {"worktree", "remove", "--force", tree}));
  return base::RealClock().Elapsed() - started - (committed - squashed);
}

absl::StatusOr<absl::Duration> GitFlow::LandByIndex(const std::string& patch) {
  const auto git = [&](std::vector<std::string> arguments, const std::string& input = "") {
    return Git({.directory = directory_,
                .arguments = std::move(arguments),
                .input = input,
                .index = absl::StrCat(directory_, "/.git/landing-index")});
  };
  if (tip_.empty()) {
    ASSIGN_OR_RETURN(tip_, git({"rev-parse", "refs/heads/main"}));
  }
  const absl::Duration started = base::RealClock().Elapsed();
  RETURN_IF_ERROR(git({"read-tree", tip_}).status());
  RETURN_IF_ERROR(git({"apply", "--cached"}, patch).status());
  ASSIGN_OR_RETURN(const std::string tree, git({"write-tree"}));
  ASSIGN_OR_RETURN(const std::string commit,
                   git({"commit-tree", "-p", tip_, "-m", "Change three files", tree}));
  RETURN_IF_ERROR(git({"update-ref", "refs/heads/main", commit, tip_}).status());
  tip_ = commit;
  return base::RealClock().Elapsed() - started;
}

absl::StatusOr<std::string> GitFlow::Tree() {
  return RunGit({.directory = directory_, .arguments = {"rev-parse", "main^{tree}"}});
}

}  // namespace slipway::bench
