#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"
#include "lib/git/pack_cache.h"
#include "lib/git/pack_writer.h"
#include "lib/git/snapshot_walk.h"

namespace slipway::git {

struct SnapshotSize {
  uint32_t objects = 0;
  uint64_t bytes = 0;
};

struct SnapshotOptions {
  size_t blob_size_max = size_t{1} << 30;
  PackCache* cache = nullptr;  // Used and filled, when there is one.
};

// Trees that are read to choose a base: few, for bases that are of any use.
inline constexpr size_t kBaseTreesMax = 20'000;

// One commit with its trees and blobs, without history, on its way to a pack: complete, or the
// difference from a commit whose snapshot the receiver has. See JoinSnapshot for the other side.
class Snapshot final {
 public:
  // Walks the trees of `commit`. The base is the one of `cached` from which the fewest objects
  // differ; those that `source` does not hold, or not wholly, are passed over, and without common
  // objects there is no base. ObjectMissing and ObjectCorrupt are about `commit` only. `source`
  // must outlive the snapshot.
  static absl::StatusOr<Snapshot> Plan(const ObjectSource& source, const Oid& commit,
                                       const std::vector<Oid>& cached = {});

  // What the difference is from; absent: complete.
  const std::optional<Oid>& base() const { return base_; }

  // Streams the pack in chunks of PackWriter::kChunkSize, trees first; one blob is in memory at a
  // time, with its base. Blobs above `blob_size_max` fail with ObjectTooLarge. A complete pack is
  // the same, byte for byte, for each reader and whatever is cached; a difference holds whole
  // objects and deltas on objects of the base.
  absl::StatusOr<SnapshotSize> Write(const ByteSink& sink,
                                     const SnapshotOptions& options = {}) const;

 private:
  Snapshot(const ObjectSource& source, const Oid& commit) : source_(&source), commit_(commit) {}

  const ObjectSource* source_;
  Oid commit_;
  std::optional<Oid> base_;
  std::vector<SnapshotWalk::Step> trees_;
  std::vector<SnapshotWalk::Step> blobs_;
};

// The complete pack.
absl::StatusOr<SnapshotSize> WriteSnapshotPack(const ObjectSource& source, const Oid& commit,
                                               const ByteSink& sink,
                                               const SnapshotOptions& options = {});

}  // namespace slipway::git
