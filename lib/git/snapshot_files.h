#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/git/oid.h"
#include "lib/git/pack_file.h"

namespace slipway::git {

// A complete snapshot on disk: its pack and the pack's index. Equal commits give equal files,
// however they came.
struct SnapshotFiles {
  std::string pack;
  std::string index;
};

// Checks the complete pack that arrived at files.pack, object by object, and writes files.index.
// PackInvalid unless it is undamaged and holds the commit with all that belongs to it.
absl::Status IndexSnapshot(const SnapshotFiles& files, const Oid& commit);

// Whether files.index is of the very pack at files.pack; false when there is none.
absl::StatusOr<bool> IsIndexed(const SnapshotFiles& files);

// Makes the complete snapshot of `commit` from the pack at `difference`, which is from the snapshot
// in `base`. Every object that arrived is hashed; those of the base have been when it was written.
// PackInvalid when the two do not give the whole commit.
absl::Status JoinSnapshot(const PackFile& base, const std::string& difference, const Oid& commit,
                          const SnapshotFiles& files);

// Writing thousands of files costs far more than copying their pack: whoever reads objects only
// leaves them there.
enum class WorkTree { kCheckedOut, kEmpty };

// Makes a repository with a work tree of `files`, which IndexSnapshot or JoinSnapshot wrote: a
// shallow repository of one commit on `branch`, clean for the git command line once it is checked
// out. It shares nothing with `files`. `directory` must be missing or empty, else RepositoryExists.
absl::Status InstallSnapshot(const SnapshotFiles& files, const Oid& commit,
                             const std::string& directory, WorkTree work_tree,
                             absl::string_view branch = "main");

}  // namespace slipway::git
