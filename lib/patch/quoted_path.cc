#include "lib/patch/quoted_path.h"

#include <cstdint>

namespace slipway::patch {
namespace {

constexpr absl::string_view kEscapes = "abtnvfr\"\\";
constexpr absl::string_view kEscaped = "\a\b\t\n\v\f\r\"\\";

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

}  // namespace

std::string QuotePath(absl::string_view path) {
  std::string quoted = "\"";
  bool needed = false;
  for (const char c : path) {
    const auto byte = static_cast<uint8_t>(c);
    const size_t escape = kEscaped.find(c);
    if (escape != absl::string_view::npos) {
      quoted += {'\\', kEscapes[escape]};
      needed = true;
    } else if (byte < 0x20 || byte >= 0x7F) {
      quoted += {'\\', static_cast<char>('0' + (byte >> 6)),
                 static_cast<char>('0' + (byte >> 3 & 7)), static_cast<char>('0' + (byte & 7))};
      needed = true;
    } else {
      quoted.push_back(c);
    }
  }
  quoted.push_back('"');
  return needed ? quoted : std::string(path);
}

std::optional<std::string> TakeQuoted(absl::string_view& text) {
  if (text.empty() || text[0] != '"') return std::nullopt;
  std::string path;
  for (size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      text.remove_prefix(i + 1);
      return path;
    }
    if (c != '\\') {
      path.push_back(c);
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    const size_t escape = kEscapes.find(text[i]);
    if (escape != absl::string_view::npos) {
      path.push_back(kEscaped[escape]);
    } else if (i + 2 < text.size() && text[i] >= '0' && text[i] <= '3' && IsOctal(text[i + 1]) &&
               IsOctal(text[i + 2])) {
      path.push_back(
          static_cast<char>((text[i] - '0') << 6 | (text[i + 1] - '0') << 3 | (text[i + 2] - '0')));
      i += 2;
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace slipway::patch
