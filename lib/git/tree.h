#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"

namespace slipway::git {

inline constexpr uint32_t kModeFile = 0100644;
inline constexpr uint32_t kModeExecutable = 0100755;
inline constexpr uint32_t kModeSymlink = 0120000;
inline constexpr uint32_t kModeSubmodule = 0160000;
inline constexpr uint32_t kModeTree = 0040000;

// Deeper trees are refused; it bounds every recursion.
inline constexpr int kTreeDepthMax = 256;

// One line of a tree object.
struct TreeEntry {
  std::string name;
  uint32_t mode = kModeFile;
  Oid oid;
  // Digits of the mode as stored; historic trees have zero-padded or unusual ones, and an entry
  // that is not touched keeps its bytes.
  uint8_t mode_width = 0;

  bool is_tree() const { return (mode & 0170000) == kModeTree; }
  // A regular file of any permission.
  bool is_file() const { return (mode & 0170000) == 0100000; }
  bool SameObject(const TreeEntry& other) const { return mode == other.mode && oid == other.oid; }
  friend bool operator==(const TreeEntry&, const TreeEntry&) = default;
};

using Tree = std::vector<TreeEntry>;

// A file, symbolic link or submodule with its full path.
struct TreeFile {
  std::string path;
  uint32_t mode = kModeFile;
  Oid oid;
  friend bool operator==(const TreeFile&, const TreeFile&) = default;
};

// The entries in stored order; ObjectCorrupt names `oid`.
absl::StatusOr<Tree> ParseTree(const Oid& oid, absl::string_view bytes);

// The content of the tree object with these entries, sorted as git sorts them. Names are unique.
std::string EncodeTree(Tree entries);

// Reads a tree object; the null id is the empty tree.
absl::StatusOr<Tree> ReadTree(const ObjectSource& source, const Oid& tree);

// The entry at `path` ("a/b/c") below `tree`; absent when there is none. Does not follow links.
absl::StatusOr<std::optional<TreeEntry>> FindEntry(const ObjectSource& source, const Oid& tree,
                                                   absl::string_view path);

// Every file below `tree` in path order of git, with `prefix` (empty or ending in "/") before each
// path. ListTooLong when there are more than `limit`.
absl::StatusOr<std::vector<TreeFile>> ListFiles(const ObjectSource& source, const Oid& tree,
                                                size_t limit, absl::string_view prefix = "");

// The content of a blob of at most `size_max` bytes.
absl::StatusOr<std::string> ReadBlob(const ObjectSource& source, const Oid& blob, size_t size_max);

}  // namespace slipway::git
