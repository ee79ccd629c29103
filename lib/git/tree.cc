#include "lib/git/tree.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"

namespace slipway::git {
namespace {

// Git compares names as if those of trees ended in "/".
bool SortsBefore(const TreeEntry& a, const TreeEntry& b) {
  const size_t common = std::min(a.name.size(), b.name.size());
  const int order = std::memcmp(a.name.data(), b.name.data(), common);
  if (order != 0) return order < 0;
  const auto next = [common](const TreeEntry& entry) -> unsigned char {
    if (entry.name.size() > common) return static_cast<unsigned char>(entry.name[common]);
    return entry.is_tree() ? '/' : '\0';
  };
  return next(a) < next(b);
}

absl::Status AppendFiles(const ObjectSource& source, const Oid& tree, const std::string& prefix,
                         size_t limit, int depth, std::vector<TreeFile>& files) {
  if (depth > kTreeDepthMax) return PathInvalid(prefix, "too many directories in each other");
  ASSIGN_OR_RETURN(const Tree entries, ReadTree(source, tree));
  for (const TreeEntry& entry : entries) {
    std::string path = absl::StrCat(prefix, entry.name);
    if (entry.is_tree()) {
      path += '/';
      RETURN_IF_ERROR(AppendFiles(source, entry.oid, path, limit, depth + 1, files));
      continue;
    }
    if (files.size() >= limit) return ListTooLong("tree", limit);
    files.push_back({.path = std::move(path), .mode = entry.mode, .oid = entry.oid});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Tree> ParseTree(const Oid& oid, absl::string_view bytes) {
  Tree entries;
  while (!bytes.empty()) {
    const size_t space = bytes.find(' ');
    if (space == 0 || space > 7) return ObjectCorrupt(oid, "tree entry without a mode");
    TreeEntry entry;
    entry.mode = 0;
    entry.mode_width = static_cast<uint8_t>(space);
    for (const char digit : bytes.substr(0, space)) {
      if (digit < '0' || digit > '7') return ObjectCorrupt(oid, "tree entry with a bad mode");
      entry.mode = entry.mode * 8 + static_cast<uint32_t>(digit - '0');
    }
    bytes.remove_prefix(space + 1);
    const size_t end = bytes.find('\0');
    if (end == 0 || end == absl::string_view::npos || bytes.size() - end <= Oid::kSize) {
      return ObjectCorrupt(oid, "truncated tree entry");
    }
    entry.name = std::string(bytes.substr(0, end));
    entry.oid = Oid::FromBytes(bytes.substr(end + 1, Oid::kSize));
    bytes.remove_prefix(end + 1 + Oid::kSize);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string EncodeTree(Tree entries) {
  std::stable_sort(entries.begin(), entries.end(), SortsBefore);
  std::string bytes;
  for (const TreeEntry& entry : entries) {
    absl::StrAppendFormat(&bytes, "%0*o %s", entry.mode_width, entry.mode, entry.name);
    bytes += '\0';
    absl::StrAppend(&bytes, entry.oid.bytes());
  }
  return bytes;
}

absl::StatusOr<Tree> ReadTree(const ObjectSource& source, const Oid& tree) {
  if (tree.IsNull()) return Tree();
  ASSIGN_OR_RETURN(const std::string bytes, source.ReadAs(ObjectType::kTree, tree, kTreeSizeMax));
  return ParseTree(tree, bytes);
}

absl::StatusOr<std::optional<TreeEntry>> FindEntry(const ObjectSource& source, const Oid& tree,
                                                   absl::string_view path) {
  Oid directory = tree;
  while (true) {
    const size_t slash = path.find('/');
    const absl::string_view name = path.substr(0, slash);
    ASSIGN_OR_RETURN(const Tree entries, ReadTree(source, directory));
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const TreeEntry& entry) { return entry.name == name; });
    if (found == entries.end()) return std::nullopt;
    if (slash == absl::string_view::npos) return *found;
    if (!found->is_tree()) return std::nullopt;
    directory = found->oid;
    path.remove_prefix(slash + 1);
  }
}

absl::StatusOr<std::vector<TreeFile>> ListFiles(const ObjectSource& source, const Oid& tree,
                                                size_t limit, absl::string_view prefix) {
  std::vector<TreeFile> files;
  RETURN_IF_ERROR(AppendFiles(source, tree, std::string(prefix), limit, 0, files));
  return files;
}

absl::StatusOr<std::string> ReadBlob(const ObjectSource& source, const Oid& blob, size_t size_max) {
  return source.ReadAs(ObjectType::kBlob, blob, size_max);
}

}  // namespace slipway::git
