#include "lib/patch/search_replace.h"

#include <string.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "lib/base/status_macros.h"
#include "lib/patch/diff_lines.h"
#include "lib/patch/line_diff.h"
#include "lib/patch/refusal.h"

namespace slipway::patch {
namespace {

// A line of at least seven `mark` and then `word`.
bool IsMarker(absl::string_view line, char mark, absl::string_view word) {
  line = absl::StripTrailingAsciiWhitespace(line);
  size_t marks = 0;
  while (marks < line.size() && line[marks] == mark) ++marks;
  return marks >= 7 && absl::StripAsciiWhitespace(line.substr(marks)) == word;
}

bool IsFence(absl::string_view line) { return absl::StartsWith(line, "```"); }

// The path in a line that models decorate: `path`, **path**, "### path:", "File: path".
absl::string_view PathIn(absl::string_view line) {
  line = absl::StripAsciiWhitespace(line);
  while (absl::ConsumePrefix(&line, "#")) {
  }
  line = absl::StripAsciiWhitespace(line);
  absl::ConsumeSuffix(&line, ":");
  for (const absl::string_view around : {"**", "`"}) {
    if (absl::ConsumePrefix(&line, around)) absl::ConsumeSuffix(&line, around);
  }
  for (const absl::string_view label : {"File: ", "file: ", "Path: ", "path: "}) {
    absl::ConsumePrefix(&line, label);
  }
  if (absl::ConsumePrefix(&line, "`")) absl::ConsumeSuffix(&line, "`");
  return absl::StripAsciiWhitespace(line);
}

// The text of the lines up to a marker, which is consumed.
absl::StatusOr<absl::string_view> TakeUntil(DiffLines& lines, char mark, absl::string_view word) {
  const absl::string_view start = lines.rest();
  for (; !lines.done(); lines.Next()) {
    if (IsMarker(lines.line(), mark, word)) {
      const absl::string_view text = start.substr(0, start.size() - lines.bytes_left());
      lines.Next();
      return text;
    }
    if (IsMarker(lines.line(), '<', "SEARCH")) break;
  }
  return Refused("CORRUPT",
                 absl::StrCat("a SEARCH/REPLACE block lacks its line ", std::string(7, mark),
                              word.empty() ? "" : " ", word),
                 {.line = lines.number()});
}

// Lines of both texts as one hunk: what they share is context.
LooseHunk HunkOf(absl::string_view old_text, absl::string_view new_text) {
  const std::vector<absl::string_view> old_lines = SplitLines(old_text);
  const std::vector<absl::string_view> new_lines = SplitLines(new_text);
  LooseHunk hunk;
  const auto append = [&](char kind, absl::string_view line) {
    absl::ConsumeSuffix(&line, "\n");
    hunk.lines.push_back({.kind = kind, .text = line});
  };
  size_t at = 0;
  for (const LineEdit& edit : DiffLineLists(old_lines, new_lines)) {
    for (; at < edit.old_begin; ++at) append(' ', old_lines[at]);
    for (; at < edit.old_end; ++at) append('-', old_lines[at]);
    for (size_t i = edit.new_begin; i < edit.new_end; ++i) append('+', new_lines[i]);
  }
  for (; at < old_lines.size(); ++at) append(' ', old_lines[at]);
  return hunk;
}

absl::Status ApplyBlock(absl::string_view path, absl::string_view search, absl::string_view replace,
                        size_t number, EditSession& session) {
  if (!search.empty()) {
    LooseHunk hunk = HunkOf(search, replace);
    hunk.number = number;
    return session.Edit(path, {hunk});
  }
  ASSIGN_OR_RETURN(const std::optional<FileState> file, session.Find(path));
  if (file.has_value() && !file->content.empty()) {
    return DoesNotFit("EXISTS", "an empty SEARCH creates a file, but the file exists already",
                      {.path = path, .hunk = number});
  }
  return session.Write(path, std::string(replace));
}

}  // namespace

bool HasSearchReplace(absl::string_view text) {
  for (DiffLines lines(text); !lines.done(); lines.Next()) {
    if (IsMarker(lines.line(), '<', "SEARCH")) return true;
  }
  return false;
}

absl::Status ReadSearchReplace(absl::string_view text, EditSession& session) {
  DiffLines lines(text);
  absl::string_view named;  // The last line that may name a file.
  std::string path;
  size_t number = 0;
  while (!lines.done()) {
    const absl::string_view line = lines.line();
    const size_t at = lines.number();
    lines.Next();
    if (!IsMarker(line, '<', "SEARCH")) {
      if (!IsFence(line) && !absl::StripAsciiWhitespace(line).empty()) named = line;
      continue;
    }
    if (const std::string name(PathIn(named)); !name.empty() && name != path) {
      path = name;
      number = 0;
    }
    named = {};
    if (path.empty()) {
      return Refused("PATH_EMPTY", "the line before a SEARCH/REPLACE block must be its file's path",
                     {.line = at});
    }
    ASSIGN_OR_RETURN(const absl::string_view search, TakeUntil(lines, '=', ""));
    ASSIGN_OR_RETURN(const absl::string_view replace, TakeUntil(lines, '>', "REPLACE"));
    RETURN_IF_ERROR(ApplyBlock(path, search, replace, ++number, session));
  }
  return absl::OkStatus();
}

absl::Status ReplaceText(absl::string_view path, absl::string_view old_text,
                         absl::string_view new_text, size_t number, EditSession& session) {
  ASSIGN_OR_RETURN(const FileState file, session.Get(path));
  // memmem is linear in the worst case, std::string::find is not.
  const auto find = [&](size_t from) {
    const char* start = file.content.data();
    const void* found =
        memmem(start + from, file.content.size() - from, old_text.data(), old_text.size());
    return found == nullptr ? std::string::npos
                            : static_cast<size_t>(static_cast<const char*>(found) - start);
  };
  const size_t first = find(0);
  if (first == std::string::npos) {
    LooseHunk hunk = HunkOf(old_text, new_text);
    hunk.number = number;
    return session.Edit(path, {hunk});
  }
  const size_t second = find(first + 1);
  if (second != std::string::npos) {
    const auto line_of = [&](size_t at) {
      return 1 + std::count(file.content.begin(), file.content.begin() + at, '\n');
    };
    return DoesNotFit("AMBIGUOUS",
                      absl::StrCat("the old text occurs more than once, at lines ", line_of(first),
                                   " and ", line_of(second), "; show more of what is around it"),
                      {.path = path, .hunk = number});
  }
  std::string content = file.content;
  content.replace(first, old_text.size(), new_text.data(), new_text.size());
  return session.Write(path, std::move(content));
}

}  // namespace slipway::patch
