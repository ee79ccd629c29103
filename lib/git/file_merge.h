#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/git/merge.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"

namespace slipway::git {

struct FileMerge {
  std::optional<ConflictKind> conflict;
  std::string text;  // The merged content, or the excerpt with conflict markers.
};

// Merges the lines of three versions of a file. Merge results depend on how lines were matched, and
// git matches by histogram while libgit2 cannot: a result counts as clean only when two other ways
// of matching agree on it, and matching from the end does as well.
absl::StatusOr<FileMerge> MergeFiles(const ObjectSource& source, const Oid& base, const Oid& ours,
                                     const Oid& theirs);

}  // namespace slipway::git
