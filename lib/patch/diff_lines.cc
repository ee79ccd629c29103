#include "lib/patch/diff_lines.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "lib/patch/patch.h"
#include "lib/patch/quoted_path.h"

namespace slipway::patch {
namespace {

// Takes a number below 2^31 off the front of `text`.
bool TakeNumber(absl::string_view& text, uint64_t& number) {
  size_t digits = 0;
  number = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9' && digits < 11) {
    number = number * 10 + (text[digits++] - '0');
  }
  text.remove_prefix(digits);
  return digits > 0 && number < (uint64_t{1} << 31);
}

bool TakeRange(absl::string_view& text, uint64_t& start, uint64_t& count) {
  if (!TakeNumber(text, start)) return false;
  return !absl::ConsumePrefix(&text, ",") || TakeNumber(text, count);
}

// Whether "a/<path>" starts with a pair of names of its own: "x b/x" does, so a reader that stops
// at the first pair sees the file "x".
bool HoldsAnotherPair(absl::string_view path) {
  constexpr absl::string_view kBetween = " b/";
  for (size_t at = path.find(kBetween); at != absl::string_view::npos;
       at = path.find(kBetween, at + 1)) {
    absl::string_view rest = path.substr(at + kBetween.size());
    if (absl::ConsumePrefix(&rest, path.substr(0, at)) && (rest.empty() || rest[0] == ' ')) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<HunkHeader> ParseHunkHeader(absl::string_view line) {
  HunkHeader header;
  if (!absl::ConsumePrefix(&line, "@@ -") || !TakeRange(line, header.old_start, header.old_count) ||
      !absl::ConsumePrefix(&line, " +") || !TakeRange(line, header.new_start, header.new_count) ||
      !absl::ConsumePrefix(&line, " @@") || (!line.empty() && line[0] != ' ')) {
    return std::nullopt;
  }
  if ((header.old_start == 0 && header.old_count != 0) ||
      (header.new_start == 0 && header.new_count != 0)) {
    return std::nullopt;
  }
  return header;
}

absl::StatusOr<GitHeader> ParseGitHeader(absl::string_view text, size_t line) {
  const Place place{.line = line};
  const absl::Status prefix = Refused("PREFIX", "names must start with a/ and b/", place);
  const absl::Status differ = Refused(
      "HEADER_MISMATCH", "the two names of the header are not one path; use --no-renames", place);
  if (absl::StartsWith(text, "\"")) {
    const std::optional<std::string> first = TakeQuoted(text);
    const bool space = first.has_value() && absl::ConsumePrefix(&text, " ");
    if (space && !absl::StartsWith(text, "\"")) return differ;
    const std::optional<std::string> second = space ? TakeQuoted(text) : std::nullopt;
    if (!second.has_value() || !text.empty()) return differ;
    if (!absl::StartsWith(*first, "a/") || !absl::StartsWith(*second, "b/")) return prefix;
    if (first->substr(2) != second->substr(2)) return differ;
    return GitHeader{.path = first->substr(2)};
  }
  // Both names are one path, so the space between them is in the middle: names may hold spaces.
  const size_t middle = text.size() / 2;
  const bool even = text.size() % 2 == 1 && text[middle] == ' ';
  const absl::string_view old_name = text.substr(0, even ? middle : 0);
  const absl::string_view new_name = even ? text.substr(middle + 1) : "";
  if (!absl::StartsWith(old_name, "a/") || !absl::StartsWith(new_name, "b/")) {
    const bool prefixed = absl::StartsWith(text, "a/") &&
                          (absl::StrContains(text, " b/") || absl::StrContains(text, " \"b/"));
    return prefixed ? differ : prefix;
  }
  const absl::string_view path = old_name.substr(2);
  if (path != new_name.substr(2)) return differ;
  return GitHeader{.path = std::string(path), .ambiguous = HoldsAnotherPair(path)};
}

bool NamesMove(absl::string_view text, absl::string_view old_path, absl::string_view new_path) {
  const std::string names[2] = {absl::StrCat("a/", old_path), absl::StrCat("b/", new_path)};
  for (const std::string& first : {names[0], QuotePath(names[0])}) {
    for (const std::string& second : {names[1], QuotePath(names[1])}) {
      if (text == absl::StrCat(first, " ", second)) return true;
    }
  }
  return false;
}

std::optional<std::string> PlainName(absl::string_view text) {
  if (!absl::StartsWith(text, "\"")) return std::string(text);
  std::optional<std::string> name = TakeQuoted(text);
  return text.empty() ? name : std::nullopt;
}

absl::Status CheckFileLine(absl::string_view text, absl::string_view expected, size_t line) {
  std::string name;
  if (absl::StartsWith(text, "\"")) {
    std::optional<std::string> quoted = TakeQuoted(text);
    if (!quoted.has_value()) return Refused("CORRUPT", "a badly quoted name", {.line = line});
    name = *std::move(quoted);
  } else {
    const size_t tab = text.find('\t');
    name = std::string(text.substr(0, tab));
    text.remove_prefix(name.size());
  }
  if (name != expected) {
    return Refused(
        "HEADER_MISMATCH",
        absl::StrCat("the line names ", Shown(name), " where ", Shown(expected), " must stand"),
        {.line = line});
  }
  // Git ends a name that holds a space with a tab, for the sake of other tools.
  const bool tab_allowed = absl::StrContains(name, ' ');
  if (!text.empty() && !(tab_allowed && text == "\t")) {
    return Refused("FORMAT", "something follows the name", {.line = line});
  }
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> ParseMode(absl::string_view digits, const Place& place) {
  uint32_t mode = 0;
  for (const char c : digits) {
    if (c < '0' || c > '7') return Refused("CORRUPT", "a mode is not octal", place);
    mode = mode << 3 | static_cast<uint32_t>(c - '0');
  }
  if (digits.size() != 6) return Refused("CORRUPT", "a mode does not have six digits", place);
  if (mode == kGitlink) {
    return Refused("SUBMODULE", "changes of submodules are not accepted", place);
  }
  if (!IsFile(mode) && mode != kSymlink) {
    return Refused("BAD_MODE", "a mode is none of 100644, 100755, 120000", place);
  }
  return mode;
}

absl::Status NotASection(absl::string_view line, size_t number) {
  const Place place{.line = number};
  if (absl::StartsWith(line, "diff --cc ") || absl::StartsWith(line, "diff --combined ")) {
    return Refused("FORMAT", "a combined diff of a merge", place);
  }
  if (number == 1 && (absl::StartsWith(line, "--- ") || absl::StartsWith(line, "*** ") ||
                      absl::StartsWith(line, "Index: ") || absl::StartsWith(line, "diff "))) {
    return Refused("FORMAT", "not a diff in git's format; use git diff --binary --full-index",
                   place);
  }
  return Refused("GARBAGE", absl::StrCat("text outside of a section: ", Shown(line, 60)), place);
}

}  // namespace slipway::patch
