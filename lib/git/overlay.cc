#include "lib/git/overlay.h"

#include <git2/sys/odb_backend.h>

#include <utility>

#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/libgit.h"
#include "lib/git/pack_writer.h"
#include "lib/git/tree_writer.h"

namespace slipway::git {
namespace {

void FreeWritepack(git_odb_writepack* writepack) { writepack->free(writepack); }
using WritepackPtr = std::unique_ptr<git_odb_writepack, LibgitDeleter<FreeWritepack>>;

}  // namespace

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
  git_odb_writepack* raw = nullptr;
  RETURN_IF_ERROR(
      LibgitStatus(git_odb_write_pack(&raw, repository.odb(), nullptr, nullptr), "begin pack"));
  const WritepackPtr writepack(raw);
  git_indexer_progress progress = {};
  PackWriter writer(static_cast<uint32_t>(pending_.size()), [&](absl::string_view chunk) {
    return LibgitStatus(raw->append(raw, chunk.data(), chunk.size(), &progress), "write pack");
  });
  for (const Oid& oid : pending_) {
    const Object& object = objects_.at(oid);
    RETURN_IF_ERROR(writer.Add(object.type, object.bytes));
  }
  RETURN_IF_ERROR(writer.Finish());
  RETURN_IF_ERROR(LibgitStatus(raw->commit(raw, &progress), "finish pack"));
  pending_.clear();
  return absl::OkStatus();
}

}  // namespace slipway::git
