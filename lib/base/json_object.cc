#include "lib/base/json_object.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/utf8.h"

namespace slipway::base {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";

void AppendEscaped(std::string& text, char byte) {
  switch (byte) {
    case '"':
      text += "\\\"";
      return;
    case '\\':
      text += "\\\\";
      return;
    case '\n':
      text += "\\n";
      return;
    case '\r':
      text += "\\r";
      return;
    case '\t':
      text += "\\t";
      return;
    default:
      text += "\\u00";
      text += kHexDigits[static_cast<unsigned char>(byte) >> 4];
      text += kHexDigits[static_cast<unsigned char>(byte) & 15];
  }
}

bool IsPlain(char byte) {
  const auto code = static_cast<unsigned char>(byte);
  return code >= 0x20 && code < 0x80 && byte != '"' && byte != '\\';
}

// IsPlain of each of eight bytes. Text is plain for long stretches.
bool AreEightPlain(const char* bytes) {
  constexpr uint64_t kEach = 0x0101010101010101;
  uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  const uint64_t quotes = word ^ (kEach * '"');
  const uint64_t backslashes = word ^ (kEach * '\\');
  // A byte minus n borrows its high bit when it is less than n and its high bit is not set.
  const uint64_t special = ((word - kEach * 0x20) & ~word) | ((quotes - kEach) & ~quotes) |
                           ((backslashes - kEach) & ~backslashes) | word;
  return (special & (kEach * 0x80)) == 0;
}

}  // namespace

void AppendJsonString(std::string& text, absl::string_view value) {
  text += '"';
  for (size_t at = 0; at < value.size();) {
    size_t end = at;
    while (end + 8 <= value.size() && AreEightPlain(value.data() + end)) end += 8;
    while (end < value.size() && IsPlain(value[end])) ++end;
    text.append(value.data() + at, end - at);
    at = end;
    if (at == value.size()) break;
    if (static_cast<unsigned char>(value[at]) < 0x80) {
      AppendEscaped(text, value[at++]);
      continue;
    }
    const size_t length = Utf8SequenceLength(value.substr(at));
    text.append(length == 0 ? kReplacement.data() : value.data() + at,
                length == 0 ? kReplacement.size() : length);
    at += length == 0 ? 1 : length;
  }
  text += '"';
}

std::string JsonArray(const std::vector<std::string>& values) {
  std::string text = "[";
  for (const std::string& value : values) {
    if (text.size() > 1) text += ',';
    AppendJsonString(text, value);
  }
  text += ']';
  return text;
}

void JsonObject::Begin(absl::string_view name) {
  absl::StrAppend(&text_, text_.size() > 1 ? ",\"" : "\"", name, "\":");
}

JsonObject& JsonObject::Add(absl::string_view name, absl::string_view value) {
  Begin(name);
  AppendJsonString(text_, value);
  return *this;
}

JsonObject& JsonObject::Add(absl::string_view name, int64_t value) {
  Begin(name);
  absl::StrAppend(&text_, value);
  return *this;
}

JsonObject& JsonObject::Add(absl::string_view name, const std::vector<std::string>& values) {
  return AddJson(name, JsonArray(values));
}

JsonObject& JsonObject::Add(absl::string_view name, const std::map<std::string, int>& values) {
  JsonObject object;
  for (const auto& [key, value] : values) object.Add(key, value);
  return AddJson(name, object.Take());
}

JsonObject& JsonObject::AddJson(absl::string_view name, absl::string_view json) {
  Begin(name);
  absl::StrAppend(&text_, json);
  return *this;
}

std::string JsonObject::Take() {
  text_ += '}';
  return std::move(text_);
}

}  // namespace slipway::base
