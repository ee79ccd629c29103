#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib/patch/binary_data.h"

// The first byte says how many of the others are the base; the rest is a delta, a zlib stream of a
// stated size, and a line of base85. What passes the check must apply to a base of its size.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::patch;
  constexpr size_t kBytesMax = 1 << 20;
  if (size == 0) return 0;
  const absl::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const absl::string_view base = input.substr(0, data[0]);
  const absl::string_view rest = input.substr(base.size());
  const bool sound = CheckDelta(rest, kBytesMax).ok();
  const absl::StatusOr<std::string> result = ApplyDelta(rest, base, kBytesMax);
  if (result.ok() && (!sound || result->size() > kBytesMax)) std::abort();
  const absl::StatusOr<std::string> inflated = InflateExactly(rest, data[0] * 16u);
  if (inflated.ok() && inflated->size() != data[0] * 16u) std::abort();
  std::string decoded;
  if (DecodeBase85Line(rest, decoded) && decoded.size() > 52) std::abort();
  const std::string literal = EncodeBinaryLiteral(input);
  if (literal.empty()) std::abort();
  return 0;
}
