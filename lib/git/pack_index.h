#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/git/oid.h"

namespace slipway::git {

// Where one object is in a pack.
struct PackPlace {
  Oid oid;
  uint64_t offset = 0;
  uint32_t crc = 0;  // Of the packed bytes.
};

// The CRC that an index keeps of a packed entry.
uint32_t PackedCrc(absl::string_view packed);

// The index, version 2, of a pack with these objects and this checksum: what git writes.
std::string EncodePackIndex(std::vector<PackPlace> places, absl::string_view pack_checksum);

// Reads an index in place; `bytes` must outlive it.
class PackIndex final {
 public:
  // PackInvalid unless the index is whole, undamaged and of version 2.
  static absl::StatusOr<PackIndex> Read(absl::string_view bytes);

  size_t size() const { return size_; }
  absl::string_view pack_checksum() const;
  Oid OidAt(size_t rank) const;       // rank < size(), in order of ids.
  uint32_t CrcAt(size_t rank) const;  // rank < size().
  absl::StatusOr<uint64_t> OffsetAt(size_t rank) const;
  std::optional<size_t> Find(const Oid& oid) const;

 private:
  PackIndex(absl::string_view bytes, size_t size) : bytes_(bytes), size_(size) {}
  uint32_t NumberAt(size_t offset) const;

  absl::string_view bytes_;
  size_t size_ = 0;
};

}  // namespace slipway::git
