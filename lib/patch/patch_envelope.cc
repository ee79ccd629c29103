#include "lib/patch/patch_envelope.h"

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
#include "lib/patch/refusal.h"

namespace slipway::patch {
namespace {

constexpr absl::string_view kBegin = "*** Begin Patch";
constexpr absl::string_view kEnd = "*** End Patch";
constexpr absl::string_view kAdd = "*** Add File: ";
constexpr absl::string_view kDelete = "*** Delete File: ";
constexpr absl::string_view kUpdate = "*** Update File: ";
constexpr absl::string_view kMove = "*** Move to: ";
constexpr absl::string_view kEndOfFile = "*** End of File";

class Envelope final {
 public:
  Envelope(absl::string_view text, EditSession& session) : lines_(text), session_(session) {}

  absl::Status Read() {
    while (!At(kBegin)) lines_.Next();
    lines_.Next();
    while (!At(kEnd)) {
      if (lines_.done()) return Refuse("CORRUPT", "the line \"*** End Patch\" is missing");
      RETURN_IF_ERROR(ReadSection());
    }
    for (lines_.Next(); !lines_.done(); lines_.Next()) {
      if (At(kBegin)) return Refuse("GARBAGE", "a second envelope");
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Refuse(absl::string_view reason, absl::string_view message) const {
    return Refused(reason, message, {.line = lines_.number()});
  }
  absl::string_view Line() const { return absl::StripTrailingAsciiWhitespace(lines_.line()); }
  bool At(absl::string_view marker) const { return Line() == marker; }
  bool InSection() const { return !lines_.done() && !absl::StartsWith(lines_.line(), "*** "); }

  absl::Status ReadSection() {
    absl::string_view line = Line();
    if (absl::ConsumePrefix(&line, kAdd)) {
      lines_.Next();
      return ReadAddition(line);
    }
    if (absl::ConsumePrefix(&line, kDelete)) {
      lines_.Next();
      return session_.Delete(line);
    }
    if (absl::ConsumePrefix(&line, kUpdate)) {
      lines_.Next();
      return ReadUpdate(line);
    }
    if (!line.empty()) {
      return Refuse("GARBAGE", absl::StrCat("not a section of the envelope: ", Shown(line)));
    }
    lines_.Next();
    return absl::OkStatus();
  }

  absl::Status ReadAddition(absl::string_view path) {
    ASSIGN_OR_RETURN(const std::optional<FileState> file, session_.Find(path));
    if (file.has_value()) {
      return DoesNotFit("EXISTS", "the file exists already; update it instead", {.path = path});
    }
    std::string content;
    for (; InSection(); lines_.Next()) {
      absl::string_view line = lines_.line();
      if (!absl::ConsumePrefix(&line, "+")) {
        if (line.empty()) continue;
        return Refuse("CORRUPT", "a line of an added file must start with '+'");
      }
      absl::StrAppend(&content, line, "\n");
    }
    return session_.Write(path, std::move(content));
  }

  absl::Status ReadUpdate(absl::string_view path) {
    absl::string_view target = Line();
    const bool moved = absl::ConsumePrefix(&target, kMove);
    if (moved) lines_.Next();
    std::vector<LooseHunk> hunks;
    while (InSection()) {
      LooseHunk hunk;
      hunk.number = hunks.size() + 1;
      RETURN_IF_ERROR(ReadHunk(hunk));
      if (!hunk.lines.empty()) hunks.push_back(std::move(hunk));
    }
    if (hunks.empty() && !moved) {
      return Refused("EMPTY_CHANGE", "the section changes nothing", {.path = path});
    }
    if (!hunks.empty()) RETURN_IF_ERROR(session_.Edit(path, hunks));
    return moved ? Move(path, target) : absl::OkStatus();
  }

  absl::Status Move(absl::string_view path, absl::string_view target) {
    ASSIGN_OR_RETURN(FileState file, session_.Get(path));
    ASSIGN_OR_RETURN(const std::optional<FileState> there, session_.Find(target));
    if (there.has_value()) {
      return DoesNotFit("EXISTS", "a file exists already where this one moves", {.path = target});
    }
    RETURN_IF_ERROR(session_.Delete(path));
    return session_.Write(target, std::move(file.content), file.mode);
  }

  absl::Status ReadHunk(LooseHunk& hunk) {
    for (; absl::StartsWith(lines_.line(), "@@"); lines_.Next()) {
      absl::string_view anchor = Line();
      absl::ConsumePrefix(&anchor, "@@");
      absl::ConsumePrefix(&anchor, " ");
      if (!absl::StripAsciiWhitespace(anchor).empty()) hunk.anchors.push_back(anchor);
    }
    for (; InSection() && !absl::StartsWith(lines_.line(), "@@"); lines_.Next()) {
      const absl::string_view line = lines_.line();
      const char kind = line.empty() ? ' ' : line[0];
      if (kind != ' ' && kind != '-' && kind != '+') {
        return Refuse("CORRUPT", absl::StrCat("a line of a hunk must start with ' ', '-' or '+': ",
                                              Shown(line)));
      }
      hunk.lines.push_back({.kind = kind, .text = line.empty() ? line : line.substr(1)});
    }
    while (!hunk.lines.empty() && hunk.lines.back().kind == ' ' && hunk.lines.back().text.empty()) {
      hunk.lines.pop_back();  // Blank lines between sections, or context that adds nothing.
    }
    if (At(kEndOfFile)) {
      hunk.at_end = true;
      lines_.Next();
    }
    return absl::OkStatus();
  }

  DiffLines lines_;
  EditSession& session_;
};

}  // namespace

bool HasPatchEnvelope(absl::string_view text) {
  for (DiffLines lines(text); !lines.done(); lines.Next()) {
    if (absl::StripTrailingAsciiWhitespace(lines.line()) == kBegin) return true;
  }
  return false;
}

absl::Status ReadPatchEnvelope(absl::string_view text, EditSession& session) {
  return Envelope(text, session).Read();
}

}  // namespace slipway::patch
