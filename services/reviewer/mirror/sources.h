#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/git/local_transport.h"
#include "lib/git/oid.h"
#include "lib/git/remote_transport.h"
#include "lib/git/repository.h"

namespace slipway::reviewer {

struct SourceState {
  git::Oid commit;  // Of the branch.
  bool dirty = false;
  bool checked_out = false;
};

// How hosts of other repositories may be reached, by "host" or "host:port". No others are.
using RemoteHosts = std::map<std::string, git::RemoteAccess>;

// People's repositories, on this machine or behind https or ssh, to fetch from and to push to.
// Blocks; thread-safe. Calls fail with LocationInvalid, RepositoryUnreachable,
// RepositoryAuthRefused, RepositoryHostUnknown, RepositoryTooLarge, NotARepository, RepositoryEmpty
// or BranchMissing.
class Sources final {
 public:
  // `roots`: directories below which repositories may lie; none: everywhere.
  explicit Sources(std::vector<std::string> roots, RemoteHosts hosts = {})
      : roots_(std::move(roots)), hosts_(std::move(hosts)) {}

  // Whether the location is on another machine.
  static bool IsRemote(const std::string& location);

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
  // commit does not follow. PushRefused when the remote's rules do not allow it.
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

  struct Remote {
    git::RemoteUrl url;
    const git::RemoteAccess& access;
  };
  absl::StatusOr<Remote> RemoteOf(const std::string& location) const;
  absl::StatusOr<std::vector<git::Ref>> ListRefs(const std::string& location,
                                                 const std::string& prefix) const;
  absl::Status Push(const git::Repository& mirror, const std::string& location,
                    const git::Push& push) const;

  const std::vector<std::string> roots_;
  const RemoteHosts hosts_;
};

}  // namespace slipway::reviewer
