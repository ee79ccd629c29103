#include "lib/patch/loose_diff.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "lib/base/status_macros.h"
#include "lib/patch/diff_lines.h"
#include "lib/patch/quoted_path.h"
#include "lib/patch/refusal.h"

namespace slipway::patch {
namespace {

constexpr absl::string_view kNull = "/dev/null";

// What the lines before the hunks say.
struct Section {
  std::optional<std::string> git_path;
  std::optional<std::string> old_name;
  std::optional<std::string> new_name;
  std::optional<uint32_t> mode;  // The new one.
  bool added = false;
  bool deleted = false;
  std::optional<std::string> moved_from;  // Of a rename or copy, with git_path as the target.
  bool copied = false;
  std::vector<LooseHunk> hunks;
  size_t line = 0;
};

// The prefixes that git diff writes with diff.mnemonicPrefix, besides a/ and b/.
constexpr absl::string_view kPrefixes[][2] = {
    {"a/", "b/"}, {"i/", "w/"}, {"c/", "i/"}, {"c/", "w/"}, {"o/", "w/"}};

// The rest of a line "diff --git " with a/ and b/ in place of other prefixes that git writes.
std::string WithUsualPrefixes(absl::string_view header) {
  const size_t middle = header.size() / 2;
  if (header.size() % 2 == 1 && header[middle] == ' ') {
    absl::string_view old_name = header.substr(0, middle);
    absl::string_view new_name = header.substr(middle + 1);
    for (const auto& prefixes : kPrefixes) {
      if (absl::StartsWith(old_name, prefixes[0]) && absl::StartsWith(new_name, prefixes[1])) {
        return absl::StrCat("a/", old_name.substr(2), " b/", new_name.substr(2));
      }
    }
  }
  return std::string(header);
}

// The name of a "---" or "+++" line: unquoted, without a timestamp.
std::string FileName(absl::string_view text) {
  if (std::optional<std::string> quoted = TakeQuoted(text); quoted.has_value()) return *quoted;
  return std::string(absl::StripTrailingAsciiWhitespace(text.substr(0, text.find('\t'))));
}

class LooseDiff final {
 public:
  LooseDiff(absl::string_view diff, EditSession& session) : lines_(diff), session_(session) {}

  absl::Status Read() {
    while (!lines_.done() && WithoutCr(lines_.line()).empty()) lines_.Next();
    while (!lines_.done()) {
      Section section;
      section.line = lines_.number();
      RETURN_IF_ERROR(ReadHeaders(section));
      while (AtHunk()) RETURN_IF_ERROR(ReadHunk(section));
      RETURN_IF_ERROR(Perform(section));
      while (!lines_.done() && WithoutCr(lines_.line()).empty()) lines_.Next();
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Refuse(absl::string_view reason, absl::string_view message) const {
    return Refused(reason, message, {.line = lines_.number()});
  }

  bool AtHunk() const { return absl::StartsWith(lines_.line(), "@@"); }

  // Whether a section starts at the line at hand. A removed line may look like "--- x", so its
  // "+++" must follow.
  bool AtSection() const {
    if (absl::StartsWith(lines_.line(), "diff --git ")) return true;
    if (!absl::StartsWith(lines_.line(), "--- ")) return false;
    DiffLines next = lines_;
    next.Next();
    if (!absl::StartsWith(next.line(), "+++ ")) return false;
    next.Next();
    return next.done() || absl::StartsWith(next.line(), "@@");
  }

  absl::Status ReadHeaders(Section& section) {
    if (!AtSection()) return NotASection(lines_.line(), lines_.number());
    absl::string_view line = WithoutCr(lines_.line());
    if (absl::ConsumePrefix(&line, "diff --git ")) {
      git_ = true;
      const std::string header = WithUsualPrefixes(line);
      const absl::StatusOr<GitHeader> named = ParseGitHeader(header, lines_.number());
      if (named.ok()) section.git_path = named->path;
      lines_.Next();
      RETURN_IF_ERROR(ReadGitHeaders(section));
      if (section.moved_from.has_value()) {
        RETURN_IF_ERROR(CheckMove(header, section));
      } else {
        RETURN_IF_ERROR(named.status());
      }
    } else if (git_) {
      return Refuse("GARBAGE", "a diff without a header of its own follows one that has it");
    }
    line = WithoutCr(lines_.line());
    if (!absl::ConsumePrefix(&line, "--- ")) return absl::OkStatus();
    section.old_name = FileName(line);
    lines_.Next();
    line = WithoutCr(lines_.line());
    if (!absl::ConsumePrefix(&line, "+++ ")) return Refuse("CORRUPT", "no \"+++\" line");
    section.new_name = FileName(line);
    lines_.Next();
    return absl::OkStatus();
  }

  absl::Status ReadGitHeaders(Section& section) {
    for (; !lines_.done() && !AtSection() && !AtHunk(); lines_.Next()) {
      absl::string_view line = WithoutCr(lines_.line());
      if (absl::StartsWith(line, "index ") && absl::EndsWith(line, " 160000")) {
        return Refuse("SUBMODULE", "changes of submodules are not accepted");
      }
      if (line.empty() || absl::StartsWith(line, "index ") || absl::StartsWith(line, "old mode ")) {
        continue;
      }
      if (absl::StartsWith(line, "--- ")) break;
      section.added = section.added || absl::StartsWith(line, "new file mode ");
      if (absl::StartsWith(line, "deleted file mode ")) {
        section.deleted = true;
      } else if (absl::ConsumePrefix(&line, "new file mode ") ||
                 absl::ConsumePrefix(&line, "new mode ")) {
        if (line == "160000") {
          return Refuse("SUBMODULE", "changes of submodules are not accepted");
        }
        if (line != "100644" && line != "100755") {
          return Refuse("BAD_MODE", "a mode is neither 100644 nor 100755");
        }
        section.mode = line == "100755" ? kExecutable : kRegular;
      } else if (absl::StartsWith(line, "similarity index ")) {
        continue;
      } else if (absl::ConsumePrefix(&line, "rename from ")) {
        section.moved_from = PlainName(line).value_or("");
      } else if (absl::ConsumePrefix(&line, "copy from ")) {
        section.moved_from = PlainName(line).value_or("");
        section.copied = true;
      } else if (absl::ConsumePrefix(&line, section.copied ? "copy to " : "rename to ")) {
        section.git_path = PlainName(line).value_or("");
      } else if (line == "GIT binary patch" || absl::StartsWith(line, "Binary files ")) {
        return Refuse("FORMAT", "binary changes are accepted in an exact git diff only");
      } else {
        return NotASection(line, lines_.number());
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckMove(absl::string_view header, const Section& section) const {
    if (!session_.renames()) {
      return Refuse("RENAME", "write a rename as a deletion and an addition");
    }
    if (!section.git_path.has_value() || section.added || section.deleted ||
        *section.moved_from == *section.git_path ||
        !NamesMove(header, *section.moved_from, *section.git_path)) {
      return Refuse("HEADER_MISMATCH", "the lines of the rename or copy name other files");
    }
    return absl::OkStatus();
  }

  absl::Status ReadHunk(Section& section) {
    LooseHunk hunk;
    hunk.number = section.hunks.size() + 1;
    absl::string_view header = WithoutCr(lines_.line());
    uint64_t stated = 0;
    if (absl::ConsumePrefix(&header, "@@ -") &&
        absl::SimpleAtoi(header.substr(0, header.find_first_of(", ")), &stated)) {
      hunk.stated_line = stated;
    }
    lines_.Next();
    size_t empty_tail = 0;  // Blank lines at the end stand between hunks, not in them.
    for (; !lines_.done() && !AtHunk() && !AtSection(); lines_.Next()) {
      const absl::string_view line = lines_.line();
      if (line.empty()) {
        hunk.lines.push_back({.kind = ' ', .text = ""});
        ++empty_tail;
        continue;
      }
      if (line[0] == '\\') {
        // A blank line ends nothing: the marker belongs to the line before.
        if (hunk.lines.size() <= empty_tail) return Refuse("CORRUPT", "a marker out of place");
        hunk.lines[hunk.lines.size() - 1 - empty_tail].newline = false;
        continue;
      }
      if (line[0] != ' ' && line[0] != '-' && line[0] != '+') {
        if (empty_tail > 0) return NotASection(line, lines_.number());
        return Refuse("CORRUPT", absl::StrCat("a line of a hunk must start with ' ', '-' or '+': ",
                                              Shown(line)));
      }
      empty_tail = 0;
      hunk.lines.push_back({.kind = line[0], .text = line.substr(1)});
    }
    hunk.lines.resize(hunk.lines.size() - empty_tail);
    if (hunk.lines.empty()) return Refuse("EMPTY_CHANGE", "a hunk without lines");
    section.hunks.push_back(std::move(hunk));
    return absl::OkStatus();
  }

  // The one path that all the headers name.
  absl::StatusOr<std::string> PathOf(Section& section) const {
    const Place place{.line = section.line};
    if (!section.old_name) return *section.git_path;
    section.added = section.added || *section.old_name == kNull;
    section.deleted = section.deleted || *section.new_name == kNull;
    if (section.added && section.deleted) {
      return Refused("CORRUPT", "a file is both created and deleted", place);
    }
    absl::string_view old_name = *section.old_name;
    absl::string_view new_name = *section.new_name;
    for (const auto& prefixes : kPrefixes) {
      if ((section.added || absl::StartsWith(old_name, prefixes[0])) &&
          (section.deleted || absl::StartsWith(new_name, prefixes[1]))) {
        absl::ConsumePrefix(&old_name, prefixes[0]);
        absl::ConsumePrefix(&new_name, prefixes[1]);
        break;
      }
    }
    const std::string path(*section.new_name == kNull ? old_name : new_name);
    const bool differ = old_name != section.moved_from.value_or(std::string(new_name));
    if ((*section.old_name != kNull && *section.new_name != kNull && differ) ||
        (section.git_path && *section.git_path != path)) {
      return Refused("HEADER_MISMATCH", "the headers name different files", place);
    }
    return path;
  }

  absl::Status Perform(Section& section) {
    ASSIGN_OR_RETURN(const std::string path, PathOf(section));
    if (section.moved_from.has_value()) return Move(path, section);
    ASSIGN_OR_RETURN(const std::optional<FileState> file, session_.Find(path));
    if (section.deleted) return Remove(path, section);
    bool only_added = true;
    for (const LooseHunk& hunk : section.hunks) {
      for (const HunkLine& line : hunk.lines) only_added = only_added && line.kind == '+';
    }
    if (section.added && file.has_value()) {
      return DoesNotFit("EXISTS", "the file exists already; change it instead of creating it",
                        {.path = path, .line = section.line});
    }
    if (!file.has_value()) {
      if (!only_added) {
        return DoesNotFit("MISSING", "there is no such file to change",
                          {.path = path, .line = section.line});
      }
      RETURN_IF_ERROR(session_.Write(path, "", section.mode));
    } else if (section.mode) {
      RETURN_IF_ERROR(session_.Write(path, file->content, section.mode));
    }
    if (section.hunks.empty()) {
      if (section.added || section.mode) return absl::OkStatus();
      return Refused("EMPTY_CHANGE", "the section changes nothing",
                     {.path = path, .line = section.line});
    }
    return session_.Edit(path, section.hunks, EditSession::Order::kAscending);
  }

  absl::Status Move(const std::string& path, const Section& section) {
    ASSIGN_OR_RETURN(FileState file, session_.Get(*section.moved_from));
    ASSIGN_OR_RETURN(const std::optional<FileState> there, session_.Find(path));
    if (there.has_value()) {
      return DoesNotFit("EXISTS", "a file exists already where this one moves",
                        {.path = path, .line = section.line});
    }
    if (!section.copied) RETURN_IF_ERROR(session_.Delete(*section.moved_from));
    RETURN_IF_ERROR(
        session_.Write(path, std::move(file.content), section.mode.value_or(file.mode)));
    if (section.hunks.empty()) return absl::OkStatus();
    return session_.Edit(path, section.hunks, EditSession::Order::kAscending);
  }

  absl::Status Remove(const std::string& path, const Section& section) {
    ASSIGN_OR_RETURN(const FileState file, session_.Get(path));
    if (!section.hunks.empty() || !file.content.empty()) {
      ASSIGN_OR_RETURN(const std::string rest, ApplyLooseHunks(path, file.content, section.hunks));
      if (!rest.empty()) {
        return DoesNotFit("STALE", "the deletion does not show all of the file",
                          {.path = path, .line = section.line});
      }
    }
    return session_.Delete(path);
  }

  DiffLines lines_;
  EditSession& session_;
  bool git_ = false;  // A section had a line "diff --git".
};

}  // namespace

absl::Status ReadLooseDiff(absl::string_view diff, EditSession& session) {
  return LooseDiff(diff, session).Read();
}

}  // namespace slipway::patch
