#include "lib/git/tree_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"

namespace slipway::git {
namespace {

absl::Status CheckPath(absl::string_view path) {
  if (path.find('\0') != absl::string_view::npos) return PathInvalid(path, "it holds a NUL");
  for (const absl::string_view name : absl::StrSplit(path, '/')) {
    if (name.empty()) return PathInvalid(path, "a part between slashes is empty");
    if (name == "." || name == "..") return PathInvalid(path, "it has a part '.' or '..'");
    if (absl::EqualsIgnoreCase(name, ".git")) return PathInvalid(path, "it has a part '.git'");
  }
  return absl::OkStatus();
}

absl::Status CheckChange(const std::string& path, const std::optional<FileChange>& change) {
  RETURN_IF_ERROR(CheckPath(path));
  if (!change.has_value()) return absl::OkStatus();
  for (const uint32_t mode : {kModeFile, kModeExecutable, kModeSymlink, kModeSubmodule}) {
    if (change->mode == mode) return absl::OkStatus();
  }
  return ModeInvalid(path, change->mode);
}

}  // namespace

absl::StatusOr<Oid> TreeWriter::Write(const Oid& base_tree, const TreeChanges& changes) {
  for (const auto& [path, change] : changes) RETURN_IF_ERROR(CheckChange(path, change));
  if (changes.empty() && !base_tree.IsNull()) return base_tree;
  ASSIGN_OR_RETURN(const Oid tree, WriteDirectory(base_tree, "", changes, 0));
  return tree.IsNull() ? overlay_.PutTree({}) : tree;
}

absl::StatusOr<Oid> TreeWriter::WriteDirectory(const Oid& tree, const std::string& prefix,
                                               const TreeChanges& changes, int depth) {
  if (depth > kTreeDepthMax) return PathInvalid(prefix, "too many directories in each other");
  std::map<std::string, NameChanges> by_name;
  for (const auto& [path, change] : changes) {
    const size_t slash = path.find('/');
    NameChanges& name = by_name[path.substr(0, slash)];
    if (slash == std::string::npos) {
      name.file = change;
    } else {
      name.below.emplace(path.substr(slash + 1), change);
    }
  }
  ASSIGN_OR_RETURN(Tree old_entries, ReadTree(overlay_, tree));
  Tree entries;
  entries.reserve(old_entries.size() + by_name.size());
  for (TreeEntry& entry : old_entries) {
    const auto changed = by_name.find(entry.name);
    if (changed == by_name.end()) {
      entries.push_back(std::move(entry));
      continue;
    }
    ASSIGN_OR_RETURN(std::optional<TreeEntry> after,
                     Change(entry, prefix + entry.name, changed->second, depth));
    if (after.has_value()) entries.push_back(*std::move(after));
    by_name.erase(changed);
  }
  for (const auto& [name, name_changes] : by_name) {
    ASSIGN_OR_RETURN(std::optional<TreeEntry> after,
                     Change(std::nullopt, prefix + name, name_changes, depth));
    if (!after.has_value()) continue;
    after->name = name;
    entries.push_back(*std::move(after));
  }
  if (entries.empty()) return Oid();
  return overlay_.PutTree(std::move(entries));
}

absl::StatusOr<std::optional<TreeEntry>> TreeWriter::Change(
    const std::optional<TreeEntry>& existing, const std::string& path, const NameChanges& changes,
    int depth) {
  const bool was_tree = existing.has_value() && existing->is_tree();
  const bool removes_file = changes.file.has_value() && !changes.file->has_value();
  if (removes_file && (!existing.has_value() || was_tree)) return PathMissing(path);
  TreeEntry entry = existing.value_or(TreeEntry());
  Oid below = was_tree ? existing->oid : Oid();
  if (!changes.below.empty()) {
    if (existing.has_value() && !was_tree && !removes_file) {
      return PathConflict(path, "a file is where a directory is needed");
    }
    ASSIGN_OR_RETURN(below, WriteDirectory(below, path + "/", changes.below, depth + 1));
  }
  const bool puts_file = changes.file.has_value() && changes.file->has_value();
  if (puts_file) {
    if (!below.IsNull()) return PathConflict(path, "a directory is where a file is needed");
    const FileChange& file = **changes.file;
    if (entry.mode != file.mode) entry.mode_width = 0;
    entry.mode = file.mode;
    entry.oid = file.oid;
    return entry;
  }
  if (below.IsNull()) return std::nullopt;
  if (!was_tree) {
    entry.mode = kModeTree;
    entry.mode_width = 0;
  }
  entry.oid = below;
  return entry;
}

}  // namespace slipway::git
