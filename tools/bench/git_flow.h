#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tools/bench/sample_repository.h"

namespace slipway::bench {

// How people land a patch with the git command line, in a clone of a repository. With `durable`
// git syncs all that it writes (core.fsync=all), as the reviewer does; by default it syncs only
// packs and the like. Not thread-safe.
class GitFlow final {
 public:
  // Clones `source` into `directory`, with a work tree.
  static absl::StatusOr<GitFlow> Clone(const std::string& source, const std::string& directory,
                                       bool durable);

  // `worktree add`, `apply --index`, `commit`, `merge --squash`, `worktree remove`, and the commit
  // of what was squashed, whose time is left out.
  absl::StatusOr<absl::Duration> LandByWorktree(const std::string& patch);

  // `read-tree`, `apply --cached`, `write-tree`, `commit-tree`, `update-ref` on an index of its
  // own.
  absl::StatusOr<absl::Duration> LandByIndex(const std::string& patch);

  // The tree that is on branch main.
  absl::StatusOr<std::string> Tree();

 private:
  GitFlow(std::string directory, bool durable)
      : directory_(std::move(directory)), durable_(durable) {}

  absl::StatusOr<std::string> Git(GitRun run);

  std::string directory_;
  bool durable_;
  int landed_ = 0;
  std::string tip_;  // Of LandByIndex; empty before its first.
};

}  // namespace slipway::bench
