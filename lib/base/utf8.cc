#include "lib/base/utf8.h"

namespace slipway::base {

size_t Utf8SequenceLength(absl::string_view text) {
  const auto continues = [&](size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    const unsigned byte = i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
    return byte >= low && byte <= high;
  };
  const unsigned lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool second = continues(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
    return second && continues(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool second = continues(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

std::string ToUtf8(absl::string_view text, size_t size_max) {
  constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";
  std::string out;
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    const absl::string_view next = length == 0 ? kReplacement : text.substr(0, length);
    if (out.size() + next.size() > size_max) break;
    out.append(next.data(), next.size());
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace slipway::base
