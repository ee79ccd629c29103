#include "lib/git/overlay.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/object_packs.h"
#include "lib/git/tree_writer.h"

namespace slipway::git {

absl::StatusOr<Object> Overlay::Read(const Oid& oid, size_t size_max) const {
  const auto found = objects_.find(oid);
  if (found == objects_.end()) return base_.Read(oid, size_max);
  const size_t size = found->second.bytes.size();
  if (size > size_max) return ObjectTooLarge(oid, size, size_max);
  return found->second;
}

bool Overlay::Contains(const Oid& oid) const {
  return objects_.contains(oid) || base_.Contains(oid);
}

absl::StatusOr<Oid> Overlay::Put(ObjectType type, std::string bytes) {
  const Oid oid = HashObject(type, bytes);
  if (objects_.contains(oid)) return oid;
  if (bytes.size() > size_max_ - size_) return OverlayFull(size_max_);
  size_ += bytes.size();
  objects_.emplace(oid, Object{.type = type, .bytes = std::move(bytes)});
  pending_.push_back(oid);
  return oid;
}

absl::StatusOr<Oid> Overlay::PutBlob(absl::string_view bytes) {
  return Put(ObjectType::kBlob, std::string(bytes));
}

absl::StatusOr<Oid> Overlay::PutTree(Tree entries) {
  return Put(ObjectType::kTree, EncodeTree(std::move(entries)));
}

absl::StatusOr<Oid> Overlay::PutCommit(const Commit& commit) {
  ASSIGN_OR_RETURN(std::string bytes, EncodeCommit(commit));
  return Put(ObjectType::kCommit, std::move(bytes));
}

absl::StatusOr<Oid> Overlay::WriteTree(const Oid& base_tree, const TreeChanges& changes) {
  return TreeWriter(*this).Write(base_tree, changes);
}

absl::Status Overlay::Publish(const Repository& repository) {
  if (pending_.empty()) return absl::OkStatus();
  std::vector<NewObject> objects;
  for (const Oid& oid : pending_) {
    const Object& object = objects_.at(oid);
    objects.push_back({.oid = oid, .type = object.type, .bytes = object.bytes});
  }
  RETURN_IF_ERROR(WritePack(repository.path() + "objects", objects));
  pending_.clear();
  return absl::OkStatus();
}

}  // namespace slipway::git
