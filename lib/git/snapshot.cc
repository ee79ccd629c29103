#include "lib/git/snapshot.h"

#include <memory>
#include <utility>

#include "absl/functional/function_ref.h"
#include "lib/base/status_macros.h"
#include "lib/git/commit.h"
#include "lib/git/delta.h"
#include "lib/git/tree.h"

namespace slipway::git {
namespace {

// The tree of that one of `cached` which `tree` differs least from.
absl::StatusOr<std::optional<Commit>> ChooseBase(const ObjectSource& source, const Commit& commit,
                                                 const std::vector<Oid>& cached) {
  std::optional<Commit> best;
  size_t fewest = kSnapshotObjectsMax;
  size_t trees_left = kBaseTreesMax;
  for (const Oid& candidate : cached) {
    if (!source.Contains(candidate)) continue;
    const absl::StatusOr<Commit> base = ReadCommit(source, candidate);
    if (!base.ok()) continue;
    const absl::StatusOr<size_t> count =
        CountDifference(source, commit.tree, base->tree, fewest, trees_left);
    if (!count.ok() || *count >= fewest) continue;
    best = *base;
    fewest = *count;
    if (fewest == 0) break;
  }
  return best;
}

// Adds one whole object, from the cache when it is there.
absl::Status AddObject(ObjectType type, const Oid& oid,
                       absl::FunctionRef<absl::StatusOr<std::string>()> read, PackCache* cache,
                       PackWriter& writer) {
  if (cache != nullptr) {
    const std::shared_ptr<const std::string> known = cache->Find(oid);
    if (known != nullptr) return writer.AddPacked(*known);
  }
  ASSIGN_OR_RETURN(const std::string bytes, read());
  if (cache == nullptr || bytes.size() > PackCache::kEntryBytesMax) return writer.Add(type, bytes);
  ASSIGN_OR_RETURN(std::string packed, writer.Pack(type, bytes));
  const auto entry = std::make_shared<const std::string>(std::move(packed));
  cache->Put(oid, entry);
  return writer.AddPacked(*entry);
}

// Adds one object as a delta on `before`; false, and nothing, when that would not pay.
absl::StatusOr<bool> AddAsDelta(const ObjectSource& source, ObjectType type, const Oid& before,
                                const Oid& oid, PackWriter& writer) {
  const absl::StatusOr<std::string> base = source.ReadAs(type, before, kDeltaObjectBytesMax);
  if (!base.ok()) return false;  // Too large, or gone from here: the object itself is what counts.
  const absl::StatusOr<std::string> target = source.ReadAs(type, oid, kDeltaObjectBytesMax);
  if (!target.ok()) return false;
  const std::optional<std::string> delta = EncodeDelta(*base, *target);
  if (!delta.has_value()) return false;
  RETURN_IF_ERROR(writer.AddDelta(before, *delta));
  return true;
}

absl::Status AddStep(const ObjectSource& source, ObjectType type, const SnapshotWalk::Step& step,
                     const SnapshotOptions& options, PackWriter& writer) {
  if (step.before.has_value()) {
    ASSIGN_OR_RETURN(const bool added, AddAsDelta(source, type, *step.before, step.oid, writer));
    if (added) return absl::OkStatus();
  }
  const size_t size_max = type == ObjectType::kTree ? kTreeSizeMax : options.blob_size_max;
  const auto read = [&] { return source.ReadAs(type, step.oid, size_max); };
  return AddObject(type, step.oid, read, options.cache, writer);
}

}  // namespace

absl::StatusOr<Snapshot> Snapshot::Plan(const ObjectSource& source, const Oid& commit,
                                        const std::vector<Oid>& cached) {
  Snapshot snapshot(source, commit);
  ASSIGN_OR_RETURN(const Commit head, ReadCommit(source, commit));
  ASSIGN_OR_RETURN(const std::optional<Commit> base, ChooseBase(source, head, cached));
  if (base.has_value()) {
    SnapshotWalk known(source);
    // All of the base's trees have to be here to tell what the receiver has.
    if (known.Visit(base->tree).ok()) {
      SnapshotWalk difference(source, &known.seen());
      RETURN_IF_ERROR(difference.Visit(head.tree, base->tree));
      if (difference.reused()) {
        snapshot.base_ = base->oid;
        snapshot.trees_ = difference.trees();
        snapshot.blobs_ = difference.blobs();
        return snapshot;
      }
    }
  }
  SnapshotWalk walk(source);
  RETURN_IF_ERROR(walk.Visit(head.tree));
  snapshot.trees_ = walk.trees();
  snapshot.blobs_ = walk.blobs();
  return snapshot;
}

absl::StatusOr<SnapshotSize> Snapshot::Write(const ByteSink& sink,
                                             const SnapshotOptions& options) const {
  ASSIGN_OR_RETURN(const std::string head,
                   source_->ReadAs(ObjectType::kCommit, commit_, kCommitSizeMax));
  SnapshotSize size;
  size.objects = static_cast<uint32_t>(1 + trees_.size() + blobs_.size());
  PackWriter writer(size.objects, [&](absl::string_view chunk) {
    size.bytes += chunk.size();
    return sink(chunk);
  });
  RETURN_IF_ERROR(writer.Add(ObjectType::kCommit, head));
  for (const SnapshotWalk::Step& tree : trees_) {
    RETURN_IF_ERROR(AddStep(*source_, ObjectType::kTree, tree, options, writer));
  }
  for (const SnapshotWalk::Step& blob : blobs_) {
    RETURN_IF_ERROR(AddStep(*source_, ObjectType::kBlob, blob, options, writer));
  }
  RETURN_IF_ERROR(writer.Finish());
  return size;
}

absl::StatusOr<SnapshotSize> WriteSnapshotPack(const ObjectSource& source, const Oid& commit,
                                               const ByteSink& sink,
                                               const SnapshotOptions& options) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, Snapshot::Plan(source, commit));
  return snapshot.Write(sink, options);
}

}  // namespace slipway::git
