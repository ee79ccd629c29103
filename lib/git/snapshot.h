#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"
#include "lib/git/pack_cache.h"
#include "lib/git/pack_writer.h"
#include "lib/git/repository.h"

namespace slipway::git {

struct SnapshotSize {
  uint32_t objects = 0;
  uint64_t bytes = 0;
};

// No repository that one machine checks out has more.
inline constexpr size_t kSnapshotObjectsMax = 4'000'000;

// Streams one commit with its trees and blobs, without history, as a pack in chunks of
// PackWriter::kChunkSize. Trees are walked first, so the first chunk comes after milliseconds; one
// blob is in memory at a time. Blobs above `blob_size_max` fail with ObjectTooLarge. A cache
// changes no byte of the pack.
struct SnapshotOptions {
  size_t blob_size_max = size_t{1} << 30;
  PackCache* cache = nullptr;  // Used and filled, when there is one.
};
absl::StatusOr<SnapshotSize> WriteSnapshotPack(const ObjectSource& source, const Oid& commit,
                                               const ByteSink& sink,
                                               const SnapshotOptions& options = {});

// Makes a repository with a work tree from a snapshot pack, as it arrives. The result is a shallow
// repository of one commit on `branch`, clean for the git command line once it is checked out. A
// receiver that goes before Finish leaves an unfinished directory, which the caller removes. Not
// thread-safe.
class SnapshotReceiver final {
 public:
  // `directory` must be missing or empty, else RepositoryExists or ALREADY_EXISTS.
  static absl::StatusOr<SnapshotReceiver> Create(const std::string& directory, const Oid& commit,
                                                 absl::string_view branch = "main");

  SnapshotReceiver(SnapshotReceiver&&) noexcept;
  SnapshotReceiver& operator=(SnapshotReceiver&&) noexcept;
  ~SnapshotReceiver();

  // The next bytes of the pack, cut anywhere. PackInvalid when they are none.
  absl::Status Append(absl::string_view bytes);

  // Writing thousands of files costs far more than indexing their pack: whoever reads objects only
  // leaves them there.
  enum class WorkTree { kCheckedOut, kEmpty };

  // Checks that the pack is whole and holds everything of the commit, else PackInvalid; then
  // creates the branch and checks it out, if the work tree is wanted.
  absl::Status Finish(WorkTree work_tree = WorkTree::kCheckedOut);

 private:
  struct Indexing;

  SnapshotReceiver(Repository repository, Oid commit, std::string branch,
                   std::unique_ptr<Indexing> indexing);

  absl::Status CheckOut();

  Repository repository_;
  Oid commit_;
  std::string branch_;
  std::unique_ptr<Indexing> indexing_;
};

}  // namespace slipway::git
