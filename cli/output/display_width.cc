#include "cli/output/display_width.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "lib/base/utf8.h"

namespace slipway::cli {
namespace {

struct Character {
  size_t bytes = 0;
  uint32_t code_point = 0;
};

// The character at the start of `text`; a byte that is not UTF-8 counts as U+FFFD.
Character FirstCharacter(absl::string_view text) {
  const size_t length = base::Utf8SequenceLength(text);
  if (length == 0) return {.bytes = 1, .code_point = 0xFFFD};
  const auto first = static_cast<unsigned char>(text[0]);
  if (length == 1) return {.bytes = 1, .code_point = first};
  uint32_t code_point = first & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    code_point = code_point << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  }
  return {.bytes = length, .code_point = code_point};
}

bool In(uint32_t code_point, uint32_t first, uint32_t last) {
  return code_point >= first && code_point <= last;
}

// The blocks that terminals draw in two cells or none; the rest takes one.
int CellsOf(uint32_t c) {
  if (c < 0x20 || In(c, 0x7F, 0x9F)) return 0;
  if (In(c, 0x300, 0x36F) || In(c, 0x200B, 0x200F) || In(c, 0x202A, 0x202E) ||
      In(c, 0x2060, 0x2064) || In(c, 0x20D0, 0x20FF) || In(c, 0xFE00, 0xFE0F) || c == 0xFEFF) {
    return 0;
  }
  if (In(c, 0x1100, 0x115F) || In(c, 0x2E80, 0x303E) || In(c, 0x3041, 0xA4CF) ||
      In(c, 0xAC00, 0xD7A3) || In(c, 0xF900, 0xFAFF) || In(c, 0xFE30, 0xFE6F) ||
      In(c, 0xFF00, 0xFF60) || In(c, 0xFFE0, 0xFFE6) || In(c, 0x1F300, 0x1F64F) ||
      In(c, 0x1F900, 0x1F9FF) || In(c, 0x20000, 0x3FFFD)) {
    return 2;
  }
  return 1;
}

bool IsControl(uint32_t c) {
  return c < 0x20 || In(c, 0x7F, 0x9F) || In(c, 0x202A, 0x202E) || In(c, 0x2066, 0x2069) ||
         c == 0x2028 || c == 0x2029;
}

}  // namespace

int DisplayWidth(absl::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    width += CellsOf(character.code_point);
    text.remove_prefix(character.bytes);
  }
  return width;
}

std::string FitToWidth(absl::string_view text, int width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  std::string fitted;
  int left = width - 1;
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    const int cells = CellsOf(character.code_point);
    if (cells > left) break;
    left -= cells;
    absl::StrAppend(&fitted, text.substr(0, character.bytes));
    text.remove_prefix(character.bytes);
  }
  return width > 0 ? fitted + "…" : "";
}

std::string OneLine(absl::string_view text) {
  std::string line;
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    if (IsControl(character.code_point)) {
      if (!line.empty() && line.back() != ' ') line.push_back(' ');
    } else if (character.code_point == 0xFFFD) {
      line.append("\uFFFD");
    } else {
      absl::StrAppend(&line, text.substr(0, character.bytes));
    }
    text.remove_prefix(character.bytes);
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

std::string PlainText(absl::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    const uint32_t c = character.code_point;
    if (c == 0xFFFD) {
      plain.append("\uFFFD");
    } else if (c == '\n' || c == '\t' || !IsControl(c)) {
      absl::StrAppend(&plain, text.substr(0, character.bytes));
    }
    text.remove_prefix(character.bytes);
  }
  return plain;
}

}  // namespace slipway::cli
