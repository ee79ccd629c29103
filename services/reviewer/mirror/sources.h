#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/git/oid.h"
#include "lib/git/repository.h"

namespace slipway::reviewer {

struct SourceState {
  git::Oid commit;  // Of the branch.
  bool dirty = false;
  bool checked_out = false;
};

// People's repositories on this machine, to fetch from and to push to. Blocks; thread-safe. Calls
// fail with LocationInvalid, RepositoryUnreachable, NotARepository, RepositoryEmpty or
// BranchMissing.
class Sources final {
 public:
  // `roots`: directories below which repositories may lie; none: everywhere.
  explicit Sources(std::vector<std::string> roots) : roots_(std::move(roots)) {}

  absl::StatusOr<SourceState> Look(const std::string& location, const std::string& branch) const;

  // Brings the branch into the mirror, at SourceRef(branch); returns its commit there.
  absl::StatusOr<git::Oid> Fetch(const git::Repository& mirror, const std::string& location,
                                 const std::string& branch) const;

  // The commit of a branch; absent when there is none.
  absl::StatusOr<std::optional<git::Oid>> FindBranch(const std::string& location,
                                                     const std::string& branch) const;

  // Where the branch is checked out; absent when it is not.
  absl::StatusOr<std::optional<std::string>> FindWorkTree(const std::string& location,
                                                          const std::string& branch) const;

  // Makes `branch` of the repository `commit`, which is in the mirror, by compare-and-swap. Nothing
  // happens when it is there already. BranchTaken when the branch holds something else that the
  // commit does not follow.
  absl::Status PushBranch(const git::Repository& mirror, const std::string& location,
                          const std::string& branch, const git::Oid& commit) const;

  // Moves `branch` from `expected`; BranchMoved when it is elsewhere.
  absl::Status MoveBranch(const git::Repository& mirror, const std::string& location,
                          const std::string& branch, const git::Oid& expected,
                          const git::Oid& commit) const;

 private:
  absl::Status CheckLocation(const std::string& location) const;
  // Spares the fetch into an empty mirror what can be copied.
  absl::Status SeedIfNew(const git::Repository& mirror, const std::string& location,
                         const std::string& branch) const;

  const std::vector<std::string> roots_;
};

}  // namespace slipway::reviewer
