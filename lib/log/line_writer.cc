#include "lib/log/line_writer.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/utf8.h"

namespace slipway::log {
namespace {

constexpr absl::string_view kTruncated = "\"truncated\":true";
constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD.

void AppendEscaped(std::string& out, unsigned char byte) {
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      if (byte < 0x20 || byte == 0x7F) {
        absl::StrAppendFormat(&out, "\\u%04x", byte);
      } else {
        out += static_cast<char>(byte);
      }
  }
}

}  // namespace

LineWriter::LineWriter(size_t size_max) : size_max_(size_max) {}

void LineWriter::Add(absl::string_view key, const Value& value) {
  const size_t before = line_.size();
  if (line_.size() > 1) line_ += ',';
  AppendString(key);
  line_ += ':';
  AppendValue(value);
  const size_t reserve = kTruncated.size() + 2;  // Its comma and the closing brace.
  if (line_.size() + reserve > size_max_) {
    line_.resize(before);
    truncated_ = true;
  }
}

std::string LineWriter::Finish() && {
  if (truncated_) absl::StrAppend(&line_, line_.size() > 1 ? "," : "", kTruncated);
  line_ += '}';
  return std::move(line_);
}

void LineWriter::AppendValue(const Value& value) {
  if (const auto* text = std::get_if<absl::string_view>(&value.value_)) {
    AppendString(*text);
  } else if (const auto* flag = std::get_if<bool>(&value.value_)) {
    line_ += *flag ? "true" : "false";
  } else if (const auto* number = std::get_if<int64_t>(&value.value_)) {
    absl::StrAppend(&line_, *number);
  } else if (const auto* large = std::get_if<uint64_t>(&value.value_)) {
    absl::StrAppend(&line_, *large);
  } else {
    const double real = std::get<double>(value.value_);
    // JSON has no spelling for these.
    line_ += std::isfinite(real) ? absl::StrFormat("%.10g", real) : "null";
  }
}

void LineWriter::AppendString(absl::string_view text) {
  line_ += '"';
  const size_t end_max = line_.size() + kValueBytesMax;
  while (!text.empty()) {
    if (line_.size() >= end_max) {
      truncated_ = true;
      break;
    }
    const size_t length = base::Utf8SequenceLength(text);
    if (length == 1) {
      AppendEscaped(line_, static_cast<unsigned char>(text[0]));
    } else {
      absl::StrAppend(&line_, length == 0 ? kReplacement : text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  line_ += '"';
}

}  // namespace slipway::log
