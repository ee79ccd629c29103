#include "lib/git/merge.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/file_merge.h"
#include "lib/git/rename_guard.h"

namespace slipway::git {
namespace {

// One name of a directory on the three sides; null where there is no such entry.
struct Sides {
  const TreeEntry* base = nullptr;
  const TreeEntry* ours = nullptr;
  const TreeEntry* theirs = nullptr;
};

bool Same(const TreeEntry* a, const TreeEntry* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->SameObject(*b);
}
bool IsTree(const TreeEntry* entry) { return entry != nullptr && entry->is_tree(); }
bool IsLeaf(const TreeEntry* entry) { return entry != nullptr && !entry->is_tree(); }
Oid TreeOf(const TreeEntry* entry) { return IsTree(entry) ? entry->oid : Oid(); }

std::optional<TreeEntry> ToOptional(const TreeEntry* entry) {
  return entry == nullptr ? std::nullopt : std::optional<TreeEntry>(*entry);
}

class TreeMerge final {
 public:
  explicit TreeMerge(Overlay& overlay) : overlay_(overlay) {}

  // Returns the merged tree; null when it is empty.
  absl::StatusOr<Oid> MergeDirectory(const Oid& base, const Oid& ours, const Oid& theirs,
                                     const std::string& prefix, int depth) {
    if (ours == theirs || base == theirs) return ours;
    if (base == ours) return theirs;
    if (depth > kTreeDepthMax) return PathInvalid(prefix, "too many directories in each other");
    ASSIGN_OR_RETURN(const Tree base_entries, ReadTree(overlay_, base));
    ASSIGN_OR_RETURN(const Tree our_entries, ReadTree(overlay_, ours));
    ASSIGN_OR_RETURN(const Tree their_entries, ReadTree(overlay_, theirs));
    // A side removed this directory while the other one works in it.
    if (!base.IsNull() && (ours.IsNull() || theirs.IsNull())) may_hide_rename_ = true;
    std::map<absl::string_view, Sides> by_name;
    for (const TreeEntry& entry : base_entries) by_name[entry.name].base = &entry;
    for (const TreeEntry& entry : our_entries) by_name[entry.name].ours = &entry;
    for (const TreeEntry& entry : their_entries) by_name[entry.name].theirs = &entry;
    Tree merged;
    for (const auto& [name, sides] : by_name) {
      ASSIGN_OR_RETURN(std::optional<TreeEntry> entry,
                       MergeName(sides, absl::StrCat(prefix, name), depth));
      if (entry.has_value()) merged.push_back(*std::move(entry));
    }
    if (merged.empty()) return Oid();
    const Oid tree = HashObject(ObjectType::kTree, EncodeTree(merged));
    // A tree that a side has already is not put again.
    if (tree == ours || tree == theirs) return tree;
    return overlay_.PutTree(std::move(merged));
  }

  void AddConflict(std::string path, ConflictKind kind, std::string text = "") {
    if (conflicts_.size() >= kConflictsMax) return;
    conflicts_.push_back({.path = std::move(path), .kind = kind, .text = std::move(text)});
  }

  bool may_hide_rename() const { return may_hide_rename_; }
  std::vector<Conflict>& conflicts() { return conflicts_; }

 private:
  absl::StatusOr<std::optional<TreeEntry>> MergeName(const Sides& sides, const std::string& path,
                                                     int depth) {
    const auto& [base, ours, theirs] = sides;
    if (IsLeaf(base) && !IsLeaf(ours) && !IsLeaf(theirs)) may_hide_rename_ = true;
    if (IsTree(base) && !IsTree(ours) && !IsTree(theirs)) may_hide_rename_ = true;
    // The same change of a directory by both is not looked into; it may have removed files.
    if (IsTree(base) && Same(ours, theirs) && !Same(base, ours)) may_hide_rename_ = true;
    if (Same(ours, theirs) || Same(base, theirs)) return ToOptional(ours);
    if (Same(base, ours)) return ToOptional(theirs);
    const bool any_tree = IsTree(ours) || IsTree(theirs);
    const bool any_leaf = IsLeaf(ours) || IsLeaf(theirs);
    if (any_tree && any_leaf) {
      AddConflict(path, ConflictKind::kDirectoryFile);
      return std::nullopt;
    }
    if (any_tree) {
      ASSIGN_OR_RETURN(const Oid tree, MergeDirectory(TreeOf(base), TreeOf(ours), TreeOf(theirs),
                                                      path + "/", depth + 1));
      if (tree.IsNull()) return std::nullopt;
      TreeEntry entry = ours != nullptr ? *ours : *theirs;
      entry.oid = tree;
      return entry;
    }
    return MergeLeaf(IsLeaf(base) ? base : nullptr, ours, theirs, path);
  }

  absl::StatusOr<std::optional<TreeEntry>> MergeLeaf(const TreeEntry* base, const TreeEntry* ours,
                                                     const TreeEntry* theirs,
                                                     const std::string& path) {
    if (ours == nullptr || theirs == nullptr) {
      // Without a base file (it was a directory that both removed) the other side's file is new.
      if (base == nullptr) return ToOptional(ours != nullptr ? ours : theirs);
      AddConflict(path, ConflictKind::kModifyDelete);
      return std::nullopt;
    }
    if (base == nullptr) {
      AddConflict(path, ConflictKind::kAddAdd);
      return std::nullopt;
    }
    TreeEntry merged = *ours;
    if (ours->mode == base->mode) {
      merged.mode = theirs->mode;
      merged.mode_width = theirs->mode_width;
    } else if (theirs->mode != base->mode && theirs->mode != ours->mode) {
      AddConflict(path, ConflictKind::kMode);
      return std::nullopt;
    }
    if (ours->oid == theirs->oid || base->oid == theirs->oid) return merged;
    if (base->oid == ours->oid) {
      merged.oid = theirs->oid;
      return merged;
    }
    if (!base->is_file() || !ours->is_file() || !theirs->is_file()) {
      AddConflict(path, ConflictKind::kSpecial);
      return std::nullopt;
    }
    ASSIGN_OR_RETURN(FileMerge content, MergeFiles(overlay_, base->oid, ours->oid, theirs->oid));
    if (content.conflict.has_value()) {
      AddConflict(path, *content.conflict, std::move(content.text));
      return std::nullopt;
    }
    ASSIGN_OR_RETURN(merged.oid, overlay_.PutBlob(content.text));
    return merged;
  }

  Overlay& overlay_;
  std::vector<Conflict> conflicts_;
  bool may_hide_rename_ = false;
};

}  // namespace

const char* NameOf(ConflictKind kind) {
  constexpr std::array<const char*, 9> kNames = {"CONTENT", "TOO_LARGE",      "BINARY",
                                                 "MODE",    "SPECIAL",        "MODIFY_DELETE",
                                                 "ADD_ADD", "DIRECTORY_FILE", "RENAME"};
  return kNames[static_cast<size_t>(kind)];
}

absl::StatusOr<MergeResult> MergeTrees(Overlay& overlay, const Oid& base, const Oid& ours,
                                       const Oid& theirs) {
  TreeMerge merge(overlay);
  ASSIGN_OR_RETURN(Oid tree, merge.MergeDirectory(base, ours, theirs, "", 0));
  if (merge.conflicts().empty() && merge.may_hide_rename()) {
    ASSIGN_OR_RETURN(std::optional<std::string> path,
                     FindRenameConflict(overlay, base, ours, theirs));
    if (path.has_value()) merge.AddConflict(*std::move(path), ConflictKind::kRename);
  }
  if (!merge.conflicts().empty()) {
    std::sort(merge.conflicts().begin(), merge.conflicts().end(),
              [](const Conflict& a, const Conflict& b) { return a.path < b.path; });
    return MergeResult{.conflicts = std::move(merge.conflicts())};
  }
  if (tree.IsNull()) {
    ASSIGN_OR_RETURN(tree, overlay.PutTree({}));
  }
  return MergeResult{.tree = tree};
}

}  // namespace slipway::git
