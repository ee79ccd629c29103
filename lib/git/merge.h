#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/git/oid.h"
#include "lib/git/overlay.h"

namespace slipway::git {

enum class ConflictKind {
  kContent,        // Both sides changed the same lines.
  kTooLarge,       // Both changed a file that is too large to merge by lines.
  kBinary,         // Both changed a file that is no text.
  kMode,           // Both changed the mode or type, differently.
  kSpecial,        // Both changed a symbolic link or a submodule.
  kModifyDelete,   // One changed what the other removed.
  kAddAdd,         // Both added a file of one name, with different content.
  kDirectoryFile,  // A file on one side is a directory on the other.
  kRename,         // One may have renamed a file or directory that the other removed or added to.
};

// "CONTENT", "TOO_LARGE", ..., "RENAME".
const char* NameOf(ConflictKind kind);

struct Conflict {
  std::string path;
  ConflictKind kind = ConflictKind::kContent;
  std::string text;  // For kContent: the file with conflict markers, cut to kConflictTextMax.
};

inline constexpr size_t kConflictTextMax = 32 * 1024;
inline constexpr size_t kConflictsMax = 1'000;  // More are not listed.

struct MergeResult {
  Oid tree;                         // Null when there are conflicts.
  std::vector<Conflict> conflicts;  // In path order.
  bool clean() const { return conflicts.empty(); }
};

// The three-way merge of trees. New blobs and trees go to `overlay`. Equal subtrees are not read.
// A clean result is the tree of `git merge-tree --write-tree`; where that would follow a rename
// or depend on how ambiguous lines are matched, this reports a conflict. Line merges are limited to
// files of 1 MiB and 50,000 lines.
absl::StatusOr<MergeResult> MergeTrees(Overlay& overlay, const Oid& base, const Oid& ours,
                                       const Oid& theirs);

}  // namespace slipway::git
