#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"

namespace slipway::git {

// An object that no pack of the repository needs to hold yet.
struct NewObject {
  Oid oid;
  ObjectType type = ObjectType::kBlob;
  absl::string_view bytes;
};

// Writes `objects` into the directory `objects_path` of a repository as one pack; pack and index
// are on disk, and found by every reader, when this returns. Thread-safe.
absl::Status WritePack(const std::string& objects_path, const std::vector<NewObject>& objects);

struct JoinOptions {
  size_t packs_max = 24;                     // Joins when there are more that may be joined.
  size_t pack_bytes_max = size_t{32} << 20;  // Larger ones are left alone.
};

// Joins small packs into one: readers look through all packs of a repository, so that thousands of
// them, one for each change, make every step slow. Each object is copied as it is packed, checked
// by its CRC, and small packs are preferred, so that an object is copied a few times at most.
// Returns how many packs were joined. Their files go when packs are joined the next time: a reader
// that has just listed them finds them. Does nothing while another thread joins packs of
// `objects_path`; only the process that owns the repository may call it.
absl::StatusOr<int> JoinPacks(const std::string& objects_path, const JoinOptions& options = {});

// How often this process has taken packs away, in any repository: a reader that finds nothing, and
// sees another number than before, looks again.
uint64_t PackJoins();

}  // namespace slipway::git
