#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"

namespace slipway::git {

inline constexpr size_t kPackHeaderBytes = 12;
inline constexpr size_t kPackChecksumBytes = 20;

// How many objects the pack announces. PackInvalid unless it begins as a pack of version 2, and
// ends with the checksum of what is before it.
absl::StatusOr<uint32_t> CheckPack(absl::string_view pack);

// One object of a pack: whole, or a delta on an object with a known id.
struct PackEntry {
  ObjectType type = ObjectType::kBlob;  // Of a whole one.
  std::optional<Oid> delta_base;
  std::string bytes;       // Inflated: the object, or the delta.
  size_t packed_size = 0;  // What it takes in the pack, its head included.
};

// The entry that `packed` begins with, of at most `size_max` inflated bytes. PackInvalid when there
// is none; deltas by offset are none of ours.
absl::StatusOr<PackEntry> ReadPackEntry(absl::string_view packed, size_t size_max);

}  // namespace slipway::git
