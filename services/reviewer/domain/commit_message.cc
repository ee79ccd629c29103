#include "services/reviewer/domain/commit_message.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/utf8.h"
#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {
namespace {

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// One line: control characters become spaces, runs of spaces one.
std::string OneLine(absl::string_view text, size_t bytes_max) {
  std::string line;
  for (const char c : text) {
    const char shown = IsControl(c) ? ' ' : c;
    if (shown == ' ' && (line.empty() || line.back() == ' ')) continue;
    line.push_back(shown);
  }
  line = base::ToUtf8(line, bytes_max);
  absl::StripTrailingAsciiWhitespace(&line);
  return line;
}

// "Key: value" and "Key #value", which git and forges read as instructions.
bool LooksLikeTrailer(absl::string_view line) {
  const size_t end = line.find_first_of(": ");
  if (end == absl::string_view::npos || end == 0 || line[end] != ':') return false;
  for (const char c : line.substr(0, end)) {
    if (!absl::ascii_isalnum(c) && c != '-') return false;
  }
  return true;
}

std::string CleanBody(absl::string_view body) {
  std::string clean;
  for (const absl::string_view line : absl::StrSplit(base::ToUtf8(body, kBodyBytesMax), '\n')) {
    std::string text;
    for (const char c : line) {
      if (!IsControl(c) || c == '\t') text.push_back(c);
    }
    absl::StripTrailingAsciiWhitespace(&text);
    if (LooksLikeTrailer(text)) text.insert(0, "  ");
    absl::StrAppend(&clean, text, "\n");
  }
  return std::string(absl::StripAsciiWhitespace(clean));
}

}  // namespace

std::string ComposeMessage(const CommitText& text) {
  std::string subject = OneLine(text.subject, kSubjectBytesMax);
  // "[skip ci]" in a subject would turn off somebody's pipeline.
  for (const char* const command : {"[skip ci]", "[ci skip]", "[no ci]", "[skip actions]"}) {
    for (size_t at = 0; (at = absl::AsciiStrToLower(subject).find(command)) != std::string::npos;) {
      subject.erase(at, absl::string_view(command).size());
    }
  }
  absl::StripAsciiWhitespace(&subject);
  if (subject.empty()) subject = "Change without a title";
  std::string message = absl::StrCat(subject, "\n");
  const std::string body = CleanBody(text.body);
  if (!body.empty()) absl::StrAppend(&message, "\n", body, "\n");
  if (!text.trailers.empty()) absl::StrAppend(&message, "\n");
  for (const auto& [key, value] : text.trailers) {
    absl::StrAppend(&message, key, ": ", OneLine(value, kSubjectBytesMax * 4), "\n");
  }
  return message;
}

std::string TrailerOf(absl::string_view message, absl::string_view key) {
  message = absl::StripTrailingAsciiWhitespace(message);
  const size_t paragraph = message.rfind("\n\n");
  if (paragraph == absl::string_view::npos) return "";
  std::string value;
  for (absl::string_view line : absl::StrSplit(message.substr(paragraph + 2), '\n')) {
    if (absl::ConsumePrefix(&line, key) && absl::ConsumePrefix(&line, ": ")) {
      value = std::string(line);
    }
  }
  return value;
}

}  // namespace slipway::reviewer
