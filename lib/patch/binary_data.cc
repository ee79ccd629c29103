#include "lib/patch/binary_data.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"

#include "lib/base/status_macros.h"
#include "lib/patch/refusal.h"

namespace slipway::patch {
namespace {

constexpr absl::string_view kAlphabet =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
constexpr size_t kLineBytesMax = 52;

std::array<int8_t, 256> MakeDigits() {
  std::array<int8_t, 256> digits;
  digits.fill(-1);
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  }
  return digits;
}

absl::Status Damaged(absl::string_view what) {
  return Refused("CORRUPT", absl::StrCat("the binary data is damaged: ", what));
}

struct DeltaSizes {
  uint64_t base = 0;
  uint64_t result = 0;
};

std::optional<uint64_t> TakeSize(absl::string_view& delta) {
  uint64_t size = 0;
  for (int shift = 0; shift < 63; shift += 7) {
    if (delta.empty()) return std::nullopt;
    const auto byte = static_cast<uint8_t>(delta[0]);
    delta.remove_prefix(1);
    size |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return size;
  }
  return std::nullopt;
}

absl::StatusOr<DeltaSizes> TakeSizes(absl::string_view& delta, size_t bytes_max) {
  const std::optional<uint64_t> base = TakeSize(delta);
  const std::optional<uint64_t> result = TakeSize(delta);
  if (!base.has_value() || !result.has_value()) return Damaged("no sizes in the delta");
  if (*base > bytes_max || *result > bytes_max) {
    return Refused("DELTA_LIMIT",
                   absl::StrCat("a delta between files of more than ", bytes_max, " bytes"));
  }
  return DeltaSizes{.base = *base, .result = *result};
}

// Calls `copy` and `insert` for the instructions in `delta`, which is past its sizes.
absl::Status WalkDelta(absl::string_view delta, const DeltaSizes& sizes,
                       absl::FunctionRef<void(uint64_t offset, uint64_t size)> copy,
                       absl::FunctionRef<void(absl::string_view bytes)> insert) {
  uint64_t produced = 0;
  while (!delta.empty()) {
    const auto opcode = static_cast<uint8_t>(delta[0]);
    delta.remove_prefix(1);
    if (opcode == 0) return Damaged("a reserved delta instruction");
    if ((opcode & 0x80) == 0) {
      if (delta.size() < opcode) return Damaged("a delta that ends inside an instruction");
      produced += opcode;
      if (produced > sizes.result) return Damaged("a delta that makes more than it states");
      insert(delta.substr(0, opcode));
      delta.remove_prefix(opcode);
      continue;
    }
    uint64_t offset = 0;
    uint64_t size = 0;
    for (int bit = 0; bit < 7; ++bit) {
      if ((opcode & 1 << bit) == 0) continue;
      if (delta.empty()) return Damaged("a delta that ends inside an instruction");
      const auto byte = static_cast<uint64_t>(static_cast<uint8_t>(delta[0]));
      delta.remove_prefix(1);
      (bit < 4 ? offset : size) |= byte << 8 * (bit < 4 ? bit : bit - 4);
    }
    if (size == 0) size = 0x10000;
    if (offset > sizes.base || size > sizes.base - offset) {
      return Damaged("a delta that copies from outside its base");
    }
    produced += size;
    if (produced > sizes.result) return Damaged("a delta that makes more than it states");
    copy(offset, size);
  }
  if (produced != sizes.result) return Damaged("a delta that makes less than it states");
  return absl::OkStatus();
}

char LengthCharacter(size_t size) {
  return static_cast<char>(size <= 26 ? 'A' + size - 1 : 'a' + size - 27);
}

}  // namespace

bool DecodeBase85Line(absl::string_view line, std::string& out) {
  static const std::array<int8_t, 256> kDigits = MakeDigits();
  if (line.empty()) return false;
  const char length = line[0];
  size_t size = 0;
  if (length >= 'A' && length <= 'Z') {
    size = length - 'A' + 1;
  } else if (length >= 'a' && length <= 'z') {
    size = length - 'a' + 27;
  } else {
    return false;
  }
  line.remove_prefix(1);
  if (line.size() != (size + 3) / 4 * 5) return false;
  for (; !line.empty(); line.remove_prefix(5)) {
    uint64_t value = 0;
    for (size_t i = 0; i < 5; ++i) {
      const int8_t digit = kDigits[static_cast<uint8_t>(line[i])];
      if (digit < 0) return false;
      value = value * 85 + digit;
    }
    if (value > 0xFFFFFFFF) return false;
    const size_t bytes = std::min<size_t>(size, 4);
    for (size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (24 - 8 * i)));
    size -= bytes;
  }
  return true;
}

absl::StatusOr<std::string> InflateExactly(absl::string_view deflated, size_t size) {
  std::string inflated(size, '\0');
  char spare = 0;  // One more byte than stated is enough to know that there are more.
  z_stream stream = {};
  if (inflateInit(&stream) != Z_OK) return absl::ResourceExhaustedError("zlib has no memory");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(deflated.data()));
  stream.avail_in = static_cast<uInt>(deflated.size());
  stream.next_out = reinterpret_cast<Bytef*>(size == 0 ? &spare : inflated.data());
  stream.avail_out = static_cast<uInt>(size == 0 ? 1 : size);
  int result = inflate(&stream, size == 0 ? Z_NO_FLUSH : Z_FINISH);
  bool more = size == 0 && stream.avail_out == 0;
  if (result != Z_STREAM_END && stream.avail_out == 0 && !more) {
    stream.next_out = reinterpret_cast<Bytef*>(&spare);
    stream.avail_out = 1;
    result = inflate(&stream, Z_NO_FLUSH);
    more = stream.avail_out == 0;
  }
  const uLong total = stream.total_out;
  const uInt left = stream.avail_in;
  inflateEnd(&stream);
  if (more) {
    return Refused("INFLATE_LIMIT",
                   absl::StrCat("binary data inflates to more than its stated ", size, " bytes"));
  }
  if (result != Z_STREAM_END) return Damaged("it does not inflate");
  if (total != size) return Damaged("it inflates to less than its stated size");
  if (left != 0) return Damaged("something follows the deflated data");
  return inflated;
}

absl::Status CheckDelta(absl::string_view delta, size_t bytes_max) {
  ASSIGN_OR_RETURN(const DeltaSizes sizes, TakeSizes(delta, bytes_max));
  return WalkDelta(
      delta, sizes, [](uint64_t, uint64_t) {}, [](absl::string_view) {});
}

absl::StatusOr<std::string> ApplyDelta(absl::string_view delta, absl::string_view base,
                                       size_t bytes_max) {
  ASSIGN_OR_RETURN(const DeltaSizes sizes, TakeSizes(delta, bytes_max));
  if (sizes.base != base.size()) {
    return DoesNotFit("STALE", absl::StrCat("the delta is for a file of ", sizes.base,
                                            " bytes, the file has ", base.size()));
  }
  std::string result;
  result.reserve(sizes.result);
  RETURN_IF_ERROR(WalkDelta(
      delta, sizes,
      [&](uint64_t offset, uint64_t size) { result.append(base.data() + offset, size); },
      [&](absl::string_view bytes) { result.append(bytes.data(), bytes.size()); }));
  return result;
}

std::string EncodeBinaryLiteral(absl::string_view content) {
  uLongf deflated_size = compressBound(content.size());
  std::string deflated(deflated_size, '\0');
  compress2(reinterpret_cast<Bytef*>(deflated.data()), &deflated_size,
            reinterpret_cast<const Bytef*>(content.data()), content.size(), Z_BEST_SPEED);
  deflated.resize(deflated_size);
  std::string out = absl::StrCat("literal ", content.size(), "\n");
  for (size_t at = 0; at < deflated.size(); at += kLineBytesMax) {
    const size_t size = std::min(kLineBytesMax, deflated.size() - at);
    out.push_back(LengthCharacter(size));
    for (size_t i = 0; i < size; i += 4) {
      uint32_t value = 0;
      for (size_t j = 0; j < 4; ++j) {
        value = value << 8 | (i + j < size ? static_cast<uint8_t>(deflated[at + i + j]) : 0);
      }
      char group[5];
      for (int j = 4; j >= 0; --j, value /= 85) group[j] = kAlphabet[value % 85];
      out.append(group, 5);
    }
    out.push_back('\n');
  }
  out.push_back('\n');
  return out;
}

}  // namespace slipway::patch
