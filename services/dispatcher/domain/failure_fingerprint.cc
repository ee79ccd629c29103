#include "services/dispatcher/domain/failure_fingerprint.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"

namespace slipway::dispatcher {
namespace {

// The feedback of an attempt has no more.
constexpr size_t kTextBytesMax = 16 << 10;

constexpr size_t kHexIdMin = 7;  // As short as git abbreviates.

bool IsWordByte(char byte) {
  return absl::ascii_isalnum(static_cast<unsigned char>(byte)) || byte == '_';
}

// How many bytes at the start of `text` are an escape sequence of a terminal.
size_t EscapeLength(absl::string_view text) {
  if (!absl::StartsWith(text, "\x1b[")) return 0;
  size_t end = 2;
  while (end < text.size() &&
         (absl::ascii_isdigit(static_cast<unsigned char>(text[end])) || text[end] == ';')) {
    ++end;
  }
  return std::min(text.size(), end + 1);
}

// "0x7ffe", "3fa94c2d1", "12", "5f" after a digit: what differs from run to run.
bool IsVolatile(absl::string_view word) {
  const auto is_hex = [](char byte) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(byte));
  };
  const auto is_digit = [](char byte) {
    return absl::ascii_isdigit(static_cast<unsigned char>(byte));
  };
  if (absl::StartsWith(word, "0x")) return true;
  if (std::all_of(word.begin(), word.end(), is_digit)) return true;
  if (word.size() >= kHexIdMin && std::all_of(word.begin(), word.end(), is_hex)) {
    return std::any_of(word.begin(), word.end(), is_digit);
  }
  // "12ms", "3s", "1e5": a number with its unit.
  return is_digit(word.front()) && word.size() <= 12;
}

// "/tmp/slipway-x81/a.py" is "a.py" in a directory that is made anew each time.
bool IsTemporary(absl::string_view path) {
  return absl::StartsWith(path, "/tmp/") || absl::StartsWith(path, "/var/tmp/") ||
         absl::StartsWith(path, "/workspace");
}

bool EndsPath(char byte) {
  return absl::ascii_isspace(static_cast<unsigned char>(byte)) || byte == '"' || byte == '\'' ||
         byte == ':' || byte == ',' || byte == ')' || byte == '`';
}

}  // namespace

std::string NormalisedFailure(absl::string_view text) {
  text = text.substr(0, kTextBytesMax);
  std::string normal;
  while (!text.empty()) {
    if (const size_t escape = EscapeLength(text); escape > 0) {
      text.remove_prefix(escape);
      continue;
    }
    if (IsTemporary(text)) {
      const auto end = std::find_if(text.begin(), text.end(), EndsPath);
      const absl::string_view path = text.substr(0, static_cast<size_t>(end - text.begin()));
      text.remove_prefix(path.rfind('/') + 1);
      continue;
    }
    if (IsWordByte(text.front())) {
      const auto end =
          std::find_if(text.begin(), text.end(), [](char byte) { return !IsWordByte(byte); });
      const absl::string_view word = text.substr(0, static_cast<size_t>(end - text.begin()));
      absl::StrAppend(&normal,
                      IsVolatile(absl::AsciiStrToLower(word)) ? "#" : absl::AsciiStrToLower(word));
      text.remove_prefix(word.size());
      continue;
    }
    const char byte = text.front();
    text.remove_prefix(1);
    const bool joins = (byte == '.' || byte == ':' || byte == '-') && absl::EndsWith(normal, "#") &&
                       !text.empty() && absl::ascii_isdigit(static_cast<unsigned char>(text[0]));
    if (joins) {  // "1.25", "12:30:01", "2026-11-21": one number.
      normal.pop_back();
    } else if (!absl::ascii_isspace(static_cast<unsigned char>(byte))) {
      normal.push_back(byte);
    } else if (!normal.empty() && normal.back() != ' ') {
      normal.push_back(' ');
    }
  }
  return std::string(absl::StripAsciiWhitespace(normal));
}

std::string FingerprintOf(absl::string_view reason, absl::string_view text) {
  return base::Sha256Hex(absl::StrCat(reason, "\n", NormalisedFailure(text))).substr(0, 16);
}

}  // namespace slipway::dispatcher
