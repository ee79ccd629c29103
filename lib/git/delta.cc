#include "lib/git/delta.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "lib/base/status_macros.h"
#include "lib/git/errors.h"

namespace slipway::git {
namespace {

// What is found in the base by its beginning. Shorter matches save less than a copy costs.
constexpr size_t kBlockBytes = 16;
constexpr size_t kCopyBytesMax = 0x10000;  // Of one instruction, in version 2 of packs.
constexpr size_t kInsertBytesMax = 127;

uint64_t BlockHash(const char* at) {
  uint64_t low = 0;
  uint64_t high = 0;
  std::memcpy(&low, at, sizeof(low));
  std::memcpy(&high, at + sizeof(low), sizeof(high));
  return (low ^ (high * 0x9e3779b97f4a7c15u)) * 0xff51afd7ed558ccdu;
}

// Where each block of the base is: the first of those that share a place wins.
class BlockTable final {
 public:
  explicit BlockTable(absl::string_view base) : base_(base) {
    int bits = 4;
    while ((size_t{1} << bits) < base.size() / kBlockBytes * 2) ++bits;
    shift_ = 64 - bits;
    places_.assign(size_t{1} << bits, 0);
    for (size_t at = 0; at + kBlockBytes <= base.size(); at += kBlockBytes) {
      uint32_t& place = places_[BlockHash(base.data() + at) >> shift_];
      if (place == 0) place = static_cast<uint32_t>(at + 1);
    }
  }

  // The offset of a block like the one at `at`; absent when none is known.
  std::optional<size_t> Find(const char* at) const {
    const uint32_t place = places_[BlockHash(at) >> shift_];
    if (place == 0 || std::memcmp(base_.data() + place - 1, at, kBlockBytes) != 0) {
      return std::nullopt;
    }
    return place - 1;
  }

 private:
  const absl::string_view base_;
  int shift_ = 0;
  std::vector<uint32_t> places_;  // Offset + 1; 0 is none.
};

void AppendSize(size_t size, std::string& out) {
  for (; size > 0x7f; size >>= 7) out += static_cast<char>(0x80 | (size & 0x7f));
  out += static_cast<char>(size);
}

void AppendInsert(absl::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const size_t size = std::min(bytes.size(), kInsertBytesMax);
    out += static_cast<char>(size);
    out.append(bytes.data(), size);
    bytes.remove_prefix(size);
  }
}

void AppendCopy(size_t offset, size_t size, std::string& out) {
  while (size > 0) {
    const size_t piece = std::min(size, kCopyBytesMax);
    unsigned flags = 0x80;
    char arguments[6];
    size_t count = 0;
    for (int i = 0; i < 4; ++i) {
      const auto byte = static_cast<char>(offset >> (8 * i) & 0xff);
      if (byte == 0) continue;
      flags |= 1u << i;
      arguments[count++] = byte;
    }
    for (int i = 0; i < 2 && piece != kCopyBytesMax; ++i) {  // No size byte is the largest size.
      const auto byte = static_cast<char>(piece >> (8 * i) & 0xff);
      if (byte == 0) continue;
      flags |= 0x10u << i;
      arguments[count++] = byte;
    }
    out += static_cast<char>(flags);
    out.append(arguments, count);
    offset += piece;
    size -= piece;
  }
}

absl::StatusOr<size_t> TakeDeltaSize(absl::string_view& delta) {
  uint64_t size = 0;
  for (int shift = 0; shift < 63; shift += 7) {
    if (delta.empty()) return PackInvalid("a delta ends in its size");
    const auto byte = static_cast<uint8_t>(delta.front());
    delta.remove_prefix(1);
    size |= uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) == 0) return static_cast<size_t>(size);
  }
  return PackInvalid("a delta states an impossible size");
}

// The argument bytes of a copy that `flags` announces, `count` of them from bit `first`.
absl::StatusOr<size_t> TakeCopyNumber(absl::string_view& delta, unsigned flags, int first,
                                      int count) {
  size_t number = 0;
  for (int i = 0; i < count; ++i) {
    if ((flags >> (first + i) & 1) == 0) continue;
    if (delta.empty()) return PackInvalid("a delta ends in a copy");
    number |= size_t{static_cast<uint8_t>(delta.front())} << (8 * i);
    delta.remove_prefix(1);
  }
  return number;
}

}  // namespace

std::optional<std::string> EncodeDelta(absl::string_view base, absl::string_view target) {
  if (base.size() > kDeltaObjectBytesMax || target.size() > kDeltaObjectBytesMax) return {};
  const BlockTable table(base);
  std::string delta;
  AppendSize(base.size(), delta);
  AppendSize(target.size(), delta);
  size_t done = 0;  // Of the target.
  size_t at = 0;
  while (at + kBlockBytes <= target.size()) {
    const std::optional<size_t> block = table.Find(target.data() + at);
    if (!block.has_value()) {
      ++at;
      continue;
    }
    size_t from = *block;
    size_t begin = at;
    while (begin > done && from > 0 && base[from - 1] == target[begin - 1]) --from, --begin;
    size_t end = at + kBlockBytes;
    size_t base_end = *block + kBlockBytes;
    while (end < target.size() && base_end < base.size() && base[base_end] == target[end]) {
      ++end, ++base_end;
    }
    AppendInsert(target.substr(done, begin - done), delta);
    AppendCopy(from, end - begin, delta);
    done = at = end;
    if (delta.size() >= target.size() / 2) return std::nullopt;
  }
  AppendInsert(target.substr(done), delta);
  if (delta.size() >= target.size() / 2) return std::nullopt;
  return delta;
}

absl::StatusOr<std::string> ApplyDelta(absl::string_view base, absl::string_view delta,
                                       size_t size_max) {
  ASSIGN_OR_RETURN(const size_t base_size, TakeDeltaSize(delta));
  ASSIGN_OR_RETURN(const size_t target_size, TakeDeltaSize(delta));
  if (base_size != base.size()) return PackInvalid("a delta is for another base");
  if (target_size > size_max) return PackInvalid("a delta makes too large an object");
  std::string target;
  target.reserve(target_size);
  while (!delta.empty()) {
    const auto flags = static_cast<uint8_t>(delta.front());
    delta.remove_prefix(1);
    absl::string_view piece;
    if ((flags & 0x80) != 0) {
      ASSIGN_OR_RETURN(const size_t offset, TakeCopyNumber(delta, flags, 0, 4));
      ASSIGN_OR_RETURN(size_t size, TakeCopyNumber(delta, flags, 4, 3));
      if (size == 0) size = kCopyBytesMax;
      if (offset > base.size() || size > base.size() - offset) {
        return PackInvalid("a delta copies from outside of its base");
      }
      piece = base.substr(offset, size);
    } else {
      if (flags == 0 || flags > delta.size()) return PackInvalid("a delta ends in an insertion");
      piece = delta.substr(0, flags);
      delta.remove_prefix(flags);
    }
    if (piece.size() > target_size - target.size()) {
      return PackInvalid("a delta makes more than it says");
    }
    target.append(piece.data(), piece.size());
  }
  if (target.size() != target_size) return PackInvalid("a delta makes less than it says");
  return target;
}

}  // namespace slipway::git
