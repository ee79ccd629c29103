#include "lib/git/pack_index.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "lib/git/errors.h"
#include "lib/git/sha1.h"

namespace slipway::git {
namespace {

constexpr absl::string_view kIndexMagic("\377tOc\0\0\0\2", 8);
constexpr size_t kFanOutBytes = 256 * 4;
constexpr size_t kNamesAt = 8 + kFanOutBytes;
constexpr size_t kChecksumsBytes = 2 * Oid::kSize;  // Of the pack, and of the index itself.
constexpr uint32_t kFarOffset = 0x80000000u;        // The rest is a place in the last table.
// Id, checksum and offset of each object.
constexpr size_t kPlaceBytes = Oid::kSize + 4 + 4;

void AppendNumber(uint64_t number, int bytes, std::string& out) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(number >> (8 * i) & 0xff);
}

}  // namespace

uint32_t PackedCrc(absl::string_view packed) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(packed.data()), packed.size()));
}

std::string EncodePackIndex(std::vector<PackPlace> places, absl::string_view pack_checksum) {
  std::sort(places.begin(), places.end(),
            [](const PackPlace& a, const PackPlace& b) { return a.oid < b.oid; });
  std::string index(kIndexMagic);
  std::array<uint32_t, 256> counts = {};
  for (const PackPlace& place : places) ++counts[static_cast<uint8_t>(place.oid.bytes()[0])];
  uint32_t sum = 0;
  for (const uint32_t count : counts) AppendNumber(sum += count, 4, index);
  for (const PackPlace& place : places) index.append(place.oid.bytes().data(), Oid::kSize);
  for (const PackPlace& place : places) AppendNumber(place.crc, 4, index);
  std::string far;
  for (const PackPlace& place : places) {
    if (place.offset < kFarOffset) {
      AppendNumber(place.offset, 4, index);
      continue;
    }
    AppendNumber(kFarOffset | far.size() / 8, 4, index);
    AppendNumber(place.offset, 8, far);
  }
  index += far;
  index.append(pack_checksum.data(), pack_checksum.size());
  return index + Sha1Checksum(index);
}

absl::StatusOr<PackIndex> PackIndex::Read(absl::string_view bytes) {
  if (bytes.size() < kNamesAt + kChecksumsBytes || !absl::StartsWith(bytes, kIndexMagic)) {
    return PackInvalid("its index is none of version 2");
  }
  const size_t end = bytes.size() - Oid::kSize;
  if (Sha1Checksum(bytes.substr(0, end)) != bytes.substr(end)) {
    return PackInvalid("its index is cut off or damaged");
  }
  PackIndex index(bytes, 0);
  index.size_ = index.NumberAt(kNamesAt - 4);
  uint32_t below = 0;
  for (size_t at = 8; at < kNamesAt; at += 4) {
    if (index.NumberAt(at) < below) return PackInvalid("its index is out of order");
    below = index.NumberAt(at);
  }
  if (bytes.size() < kNamesAt + index.size_ * kPlaceBytes + kChecksumsBytes) {
    return PackInvalid("its index names more than it holds");
  }
  return index;
}

absl::string_view PackIndex::pack_checksum() const {
  return bytes_.substr(bytes_.size() - kChecksumsBytes, Oid::kSize);
}

uint32_t PackIndex::NumberAt(size_t offset) const {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<uint8_t>(bytes_[offset + i]);
  return number;
}

Oid PackIndex::OidAt(size_t rank) const {
  return Oid::FromBytes(bytes_.substr(kNamesAt + rank * Oid::kSize, Oid::kSize));
}

uint32_t PackIndex::CrcAt(size_t rank) const {
  return NumberAt(kNamesAt + size_ * Oid::kSize + rank * 4);
}

absl::StatusOr<uint64_t> PackIndex::OffsetAt(size_t rank) const {
  const uint32_t offset = NumberAt(kNamesAt + size_ * (Oid::kSize + 4) + rank * 4);
  if ((offset & kFarOffset) == 0) return offset;
  const size_t at = kNamesAt + size_ * kPlaceBytes + size_t{offset & ~kFarOffset} * 8;
  if (at + 8 > bytes_.size() - kChecksumsBytes) return PackInvalid("its index names no offset");
  return uint64_t{NumberAt(at)} << 32 | NumberAt(at + 4);
}

std::optional<size_t> PackIndex::Find(const Oid& oid) const {
  const auto first = static_cast<uint8_t>(oid.bytes()[0]);
  size_t low = first == 0 ? 0 : NumberAt(8 + (first - 1) * size_t{4});
  size_t high = NumberAt(8 + first * size_t{4});
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const Oid found = OidAt(middle);
    if (found == oid) return middle;
    (found < oid ? low : high) = found < oid ? middle + 1 : middle;
  }
  return std::nullopt;
}

}  // namespace slipway::git
