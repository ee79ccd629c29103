#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/git/commit.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"
#include "lib/git/repository.h"
#include "lib/git/tree.h"

namespace slipway::git {

// What a changed path becomes.
struct FileChange {
  uint32_t mode = kModeFile;
  Oid oid;
};

// Path -> its new file, or absent when the path goes.
using TreeChanges = std::map<std::string, std::optional<FileChange>>;

// New objects in memory in front of an object source: readable at once, visible to others only
// after Publish. Not thread-safe; `base` must outlive it.
class Overlay final : public ObjectSource {
 public:
  // Bounds the memory of one request; the patches that we accept are far smaller.
  static constexpr size_t kSizeMaxDefault = 512u << 20;

  explicit Overlay(const ObjectSource& base, size_t size_max = kSizeMaxDefault)
      : base_(base), size_max_(size_max) {}

  absl::StatusOr<Object> Read(const Oid& oid, size_t size_max) const override;
  bool Contains(const Oid& oid) const override;

  // Each fails with OverlayFull only, unless said.
  absl::StatusOr<Oid> PutBlob(absl::string_view bytes);
  absl::StatusOr<Oid> PutTree(Tree entries);

  // Fails with SignatureInvalid or MessageInvalid, too. `commit.oid` is ignored.
  absl::StatusOr<Oid> PutCommit(const Commit& commit);

  // The tree that `base_tree` (null: the empty tree) becomes under `changes`. Only trees on changed
  // paths are read and written; untouched entries keep their bytes; directories left empty go. A
  // file may replace a directory, or the reverse, when the changes remove all that was there.
  // Fails with PathInvalid, ModeInvalid, PathMissing (removal of what is not there), PathConflict
  // (a file and a directory of one name).
  absl::StatusOr<Oid> WriteTree(const Oid& base_tree, const TreeChanges& changes);

  // Writes all objects that were put since the last Publish to `repository` as one pack, which is
  // on disk when this returns; nothing when there are none. Move refs afterwards.
  absl::Status Publish(const Repository& repository);

  // Objects put and not yet published, in order.
  size_t pending_objects() const { return pending_.size(); }

 private:
  absl::StatusOr<Oid> Put(ObjectType type, std::string bytes);

  const ObjectSource& base_;
  const size_t size_max_;
  size_t size_ = 0;
  std::unordered_map<Oid, Object, absl::Hash<Oid>> objects_;
  std::vector<Oid> pending_;
};

}  // namespace slipway::git
