#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/git/oid.h"
#include "lib/git/repository.h"

// Exchange between a bare mirror of ours and a person's repository on this machine. All calls run
// the git command line in a clean environment and block. They fail with NotARepository or
// RepositoryNotOwned when the path is not what it should be.
namespace slipway::git {

// One ref to fetch: `source` of the other repository becomes `target` of the mirror.
struct RefToFetch {
  std::string source;  // "refs/heads/main"
  std::string target;  // "refs/source/heads/main"
};

// The refs of the repository at `path` whose names begin with `prefix`.
absl::StatusOr<std::vector<Ref>> ListLocalRefs(const std::string& path, const std::string& prefix,
                                               size_t limit);

// The branch that is checked out at `path` ("refs/heads/main"); absent when HEAD is detached.
absl::StatusOr<std::optional<std::string>> HeadBranch(const std::string& path);

// Brings the refs with all their objects into `mirror`, verified, moving its refs as needed (a
// mirror follows its source, also backwards). BranchNotFound names the first missing source ref.
absl::Status FetchFromLocal(const Repository& mirror, const std::string& path,
                            const std::vector<RefToFetch>& refs);

struct Push {
  std::string ref;                  // "refs/heads/main" of the other repository.
  std::optional<Oid> expected_old;  // Absent: the ref must not exist.
  Oid target;
};

// Moves a ref of the repository at `path` from the expected commit to one of `mirror`, with its
// objects; hooks there do not run. Fails with RefMoved, RefExists, NotFastForward (in any case), or
// BranchCheckedOut when a work tree would fall behind its branch.
absl::Status PushToLocal(const Repository& mirror, const std::string& path, const Push& push);

// Whether the work tree at `path` has changes to tracked files or files that are neither tracked
// nor ignored. False for a bare repository.
absl::StatusOr<bool> IsDirty(const std::string& path);

// WorkTreeDirty unless the work tree is clean.
absl::Status CheckClean(const std::string& path);

// The work tree in which `ref` is checked out; absent when there is none.
absl::StatusOr<std::optional<std::string>> FindWorkTreeOf(const std::string& path,
                                                          const std::string& ref);

}  // namespace slipway::git
