#include "lib/git/pack_entry.h"

#include <zlib.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/sha1.h"

namespace slipway::git {
namespace {

constexpr unsigned kDeltaById = 7;
// zlib packs no tighter; what states more is a bomb, and must not have its memory.
constexpr size_t kInflationMax = 1'100;

struct EntryHead {
  unsigned type = 0;
  size_t size = 0;
};

absl::StatusOr<EntryHead> TakeEntryHead(absl::string_view& packed) {
  if (packed.empty()) return PackInvalid("it ends before its objects do");
  auto byte = static_cast<uint8_t>(packed.front());
  packed.remove_prefix(1);
  EntryHead head{.type = byte >> 4 & 7u, .size = byte & 15u};
  for (int shift = 4; (byte & 0x80) != 0; shift += 7) {
    if (packed.empty() || shift > 56) return PackInvalid("an object has no sound size");
    byte = static_cast<uint8_t>(packed.front());
    packed.remove_prefix(1);
    head.size |= size_t{byte & 0x7fu} << shift;
  }
  return head;
}

struct Inflated {
  std::string bytes;
  size_t consumed = 0;
};

absl::StatusOr<Inflated> InflateExactly(absl::string_view packed, size_t size) {
  if (size / kInflationMax > packed.size()) return PackInvalid("an object is cut off");
  Inflated result;
  result.bytes.resize(size);
  z_stream zlib = {};
  if (inflateInit(&zlib) != Z_OK) return absl::ResourceExhaustedError("no memory to inflate");
  char beyond = 0;  // zlib ends a stream only with room left.
  size_t taken = 0;
  size_t made = 0;
  int code = Z_OK;
  while (code == Z_OK) {
    const size_t in = std::min<size_t>(packed.size() - taken, 1u << 30);
    const size_t out = std::min<size_t>(size - made, 1u << 30);
    zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + taken));
    zlib.avail_in = static_cast<uInt>(in);
    zlib.next_out = reinterpret_cast<Bytef*>(out > 0 ? result.bytes.data() + made : &beyond);
    zlib.avail_out = out > 0 ? static_cast<uInt>(out) : 1;
    code = inflate(&zlib, Z_NO_FLUSH);
    taken += in - zlib.avail_in;
    if (out == 0 && zlib.avail_out == 0) code = Z_DATA_ERROR;
    if (out > 0) made += out - zlib.avail_out;
  }
  inflateEnd(&zlib);
  if (code != Z_STREAM_END || made != size) return PackInvalid("an object does not inflate");
  result.consumed = taken;
  return result;
}

}  // namespace

absl::StatusOr<uint32_t> CheckPack(absl::string_view pack) {
  constexpr absl::string_view kMagic("PACK\0\0\0\2", 8);
  if (pack.size() < kPackHeaderBytes + kPackChecksumBytes || !absl::StartsWith(pack, kMagic)) {
    return PackInvalid("it is no pack of version 2");
  }
  const size_t end = pack.size() - kPackChecksumBytes;
  if (Sha1Checksum(pack.substr(0, end)) != pack.substr(end)) {
    return PackInvalid("it is cut off or damaged");
  }
  uint32_t count = 0;
  for (size_t i = 8; i < kPackHeaderBytes; ++i) count = count << 8 | static_cast<uint8_t>(pack[i]);
  return count;
}

absl::StatusOr<PackEntry> ReadPackEntry(absl::string_view packed, size_t size_max) {
  const size_t available = packed.size();
  ASSIGN_OR_RETURN(const EntryHead head, TakeEntryHead(packed));
  PackEntry entry;
  if (head.type == kDeltaById) {
    if (packed.size() < Oid::kSize) return PackInvalid("a delta has no base");
    entry.delta_base = Oid::FromBytes(packed.substr(0, Oid::kSize));
    packed.remove_prefix(Oid::kSize);
  } else if (head.type < 1 || head.type > 4) {
    return PackInvalid(absl::StrCat("it holds an object of kind ", head.type));
  } else {
    entry.type = static_cast<ObjectType>(head.type);
  }
  if (head.size > size_max) return PackInvalid("an object is too large");
  ASSIGN_OR_RETURN(Inflated inflated, InflateExactly(packed, head.size));
  entry.bytes = std::move(inflated.bytes);
  entry.packed_size = available - packed.size() + inflated.consumed;
  return entry;
}

}  // namespace slipway::git
