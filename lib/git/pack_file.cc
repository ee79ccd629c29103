#include "lib/git/pack_file.h"

#include <algorithm>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/pack_entry.h"

namespace slipway::git {

absl::StatusOr<PackFile> PackFile::Open(const std::string& pack, const std::string& index) {
  ASSIGN_OR_RETURN(MappedFile pack_file, MappedFile::Open(pack));
  ASSIGN_OR_RETURN(MappedFile index_file, MappedFile::Open(index));
  const absl::string_view bytes = pack_file.bytes();
  ASSIGN_OR_RETURN(const uint32_t count, CheckPack(bytes));
  ASSIGN_OR_RETURN(const PackIndex places, PackIndex::Read(index_file.bytes()));
  const uint64_t end = bytes.size() - kPackChecksumBytes;
  if (places.pack_checksum() != bytes.substr(end) || places.size() != count) {
    return PackInvalid("its index is of another pack");
  }
  PackFile file(std::move(pack_file), std::move(index_file), places);
  file.offsets_.reserve(places.size() + 1);
  for (size_t rank = 0; rank < places.size(); ++rank) {
    ASSIGN_OR_RETURN(const uint64_t offset, places.OffsetAt(rank));
    if (offset < kPackHeaderBytes || offset >= end) return PackInvalid("its index points outside");
    file.offsets_.push_back(offset);
  }
  file.offsets_.push_back(end);
  std::sort(file.offsets_.begin(), file.offsets_.end());
  return file;
}

absl::StatusOr<PackFile::Packed> PackFile::Find(const Oid& oid) const {
  const std::optional<size_t> rank = index_.Find(oid);
  if (!rank.has_value()) return ObjectMissing(oid);
  ASSIGN_OR_RETURN(const uint64_t begin, index_.OffsetAt(*rank));
  const uint64_t end = *std::upper_bound(offsets_.begin(), offsets_.end(), begin);
  return Packed{.bytes = pack_.bytes().substr(begin, end - begin), .crc = index_.CrcAt(*rank)};
}

absl::StatusOr<Object> PackFile::Read(const Oid& oid, size_t size_max) const {
  ASSIGN_OR_RETURN(const Packed packed, Find(oid));
  ASSIGN_OR_RETURN(PackEntry entry, ReadPackEntry(packed.bytes, size_max));
  if (entry.delta_base.has_value()) return PackInvalid("it holds a delta");
  return Object{.type = entry.type, .bytes = std::move(entry.bytes)};
}

}  // namespace slipway::git
