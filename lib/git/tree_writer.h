#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/git/overlay.h"

namespace slipway::git {

// The algorithm behind Overlay::WriteTree, which says what it guarantees.
class TreeWriter final {
 public:
  explicit TreeWriter(Overlay& overlay) : overlay_(overlay) {}

  absl::StatusOr<Oid> Write(const Oid& base_tree, const TreeChanges& changes);

 private:
  // All changes to one name of a directory, so that a file and a directory of that name are seen
  // together.
  struct NameChanges {
    std::optional<std::optional<FileChange>> file;
    TreeChanges below;
  };

  // The id of the changed tree; null when nothing is left. `prefix` ends in "/" or is empty.
  absl::StatusOr<Oid> WriteDirectory(const Oid& tree, const std::string& prefix,
                                     const TreeChanges& changes, int depth);

  // What becomes of the entry `existing` (absent: there is none) at `path`.
  absl::StatusOr<std::optional<TreeEntry>> Change(const std::optional<TreeEntry>& existing,
                                                  const std::string& path,
                                                  const NameChanges& changes, int depth);

  Overlay& overlay_;
};

}  // namespace slipway::git
