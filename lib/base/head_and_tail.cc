#include "lib/base/head_and_tail.h"

#include "absl/strings/str_cat.h"

namespace slipway::base {

std::string LeftOut(size_t bytes) {
  return absl::StrCat("\n[", bytes, " bytes are left out here]\n");
}

std::string HeadAndTail(absl::string_view text, size_t head_bytes, size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  const auto is_inside = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
  size_t head = head_bytes;
  while (head > 0 && is_inside(text[head])) --head;
  const size_t room = LeftOut(text.size()).size();
  size_t tail = text.size() - (bytes_max - head - room);
  while (tail < text.size() && is_inside(text[tail])) ++tail;
  return absl::StrCat(text.substr(0, head), LeftOut(tail - head), text.substr(tail));
}

}  // namespace slipway::base
