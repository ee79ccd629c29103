#include "lib/git/snapshot_walk.h"

#include <string>
#include <unordered_map>

#include "lib/base/status_macros.h"
#include "lib/git/errors.h"

namespace slipway::git {
namespace {

// The entries of a tree by name; none of an absent tree.
class EntriesByName final {
 public:
  static absl::StatusOr<EntriesByName> Read(const ObjectSource& source,
                                            const std::optional<Oid>& tree) {
    EntriesByName entries;
    if (!tree.has_value()) return entries;
    ASSIGN_OR_RETURN(const Tree read, ReadTree(source, *tree));
    for (const TreeEntry& entry : read) entries.by_name_.emplace(entry.name, entry);
    return entries;
  }

  // What `entry` replaces, when it is of the same type.
  std::optional<Oid> Before(const TreeEntry& entry) const {
    const auto found = by_name_.find(entry.name);
    if (found == by_name_.end() || found->second.is_tree() != entry.is_tree()) return std::nullopt;
    if (found->second.mode == kModeSubmodule) return std::nullopt;
    return found->second.oid;
  }

 private:
  std::unordered_map<std::string, TreeEntry> by_name_;
};

class DifferenceCount final {
 public:
  DifferenceCount(const ObjectSource& source, size_t limit, size_t& trees_left)
      : source_(source), limit_(limit), trees_left_(trees_left) {}

  // All that was counted so far, with what differs in `tree`.
  absl::StatusOr<size_t> Of(const Oid& tree, const std::optional<Oid>& base, int depth) {
    if (tree == base) return count_;
    if (trees_left_ == 0) return count_ = limit_ + 1;
    if (depth > kTreeDepthMax) return ObjectCorrupt(tree, "too many directories in each other");
    --trees_left_;
    ++count_;
    ASSIGN_OR_RETURN(const Tree entries, ReadTree(source_, tree));
    ASSIGN_OR_RETURN(const EntriesByName before, EntriesByName::Read(source_, base));
    for (const TreeEntry& entry : entries) {
      if (count_ > limit_) break;
      const std::optional<Oid> replaced = before.Before(entry);
      if (entry.mode == kModeSubmodule || entry.oid == replaced) continue;
      if (entry.is_tree()) {
        RETURN_IF_ERROR(Of(entry.oid, replaced, depth + 1).status());
      } else {
        ++count_;
      }
    }
    return count_;
  }

 private:
  const ObjectSource& source_;
  const size_t limit_;
  size_t& trees_left_;
  size_t count_ = 0;
};

}  // namespace

bool SnapshotWalk::IsNew(const Oid& oid) {
  if (known_ != nullptr && known_->contains(oid)) {
    reused_ = true;
    return false;
  }
  return seen_.insert(oid).second;
}

absl::Status SnapshotWalk::Visit(const Oid& tree, const std::optional<Oid>& before, int depth) {
  if (depth > kTreeDepthMax) return ObjectCorrupt(tree, "too many directories in each other");
  if (!IsNew(tree)) return absl::OkStatus();
  trees_.push_back({.oid = tree, .before = before});
  ASSIGN_OR_RETURN(const Tree entries, ReadTree(source_, tree));
  ASSIGN_OR_RETURN(const EntriesByName base, EntriesByName::Read(source_, before));
  for (const TreeEntry& entry : entries) {
    if (seen_.size() > kSnapshotObjectsMax) return ListTooLong("snapshot", kSnapshotObjectsMax);
    if (entry.is_tree()) {
      RETURN_IF_ERROR(Visit(entry.oid, base.Before(entry), depth + 1));
    } else if (entry.mode != kModeSubmodule && IsNew(entry.oid)) {
      blobs_.push_back({.oid = entry.oid, .before = base.Before(entry)});
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> CountDifference(const ObjectSource& source, const Oid& tree, const Oid& base,
                                       size_t limit, size_t& trees_left) {
  return DifferenceCount(source, limit, trees_left).Of(tree, base, 0);
}

}  // namespace slipway::git
