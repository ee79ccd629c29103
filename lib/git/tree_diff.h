#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"
#include "lib/git/overlay.h"
#include "lib/git/repository.h"

namespace slipway::git {

// A path whose file differs between two trees. A side is absent when it has no file there.
struct ChangedPath {
  std::string path;
  std::optional<FileChange> before;
  std::optional<FileChange> after;

  bool added() const { return !before.has_value(); }
  bool deleted() const { return !after.has_value(); }
};

// What differs, in path order; equal subtrees are not read. ListTooLong beyond `limit`.
absl::StatusOr<std::vector<ChangedPath>> ChangedPaths(const ObjectSource& source,
                                                      const Oid& old_tree, const Oid& new_tree,
                                                      size_t limit);

struct DiffText {
  std::string text;
  bool truncated = false;  // The text was cut at a file or line boundary to fit.
};

// A unified diff for people, at most `size_max` bytes. Binary and very large files are named only.
// Not for `git apply`: see MachineDiff.
absl::StatusOr<DiffText> FormatDiff(const ObjectSource& source, const Oid& old_tree,
                                    const Oid& new_tree, size_t size_max);

// The bytes of `git diff-tree -r -p --binary --full-index --no-renames`, which applies exactly.
// Runs git on `repository`, which must be one of our own: both trees are published there.
// OUT_OF_RANGE when it exceeds `size_max`.
absl::StatusOr<std::string> MachineDiff(const Repository& repository, const Oid& old_tree,
                                        const Oid& new_tree, size_t size_max);

}  // namespace slipway::git
