#include "lib/patch/unified_parser.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/patch/binary_data.h"
#include "lib/patch/blob_id.h"
#include "lib/patch/diff_lines.h"
#include "lib/patch/path_rules.h"
#include "lib/patch/refusal.h"

namespace slipway::patch {
namespace {

constexpr absl::string_view kSection = "diff --git ";
constexpr absl::string_view kNoNewline = "\\ No newline at end of file";

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// The lines between "diff --git" and the content.
struct Headers {
  std::optional<uint32_t> old_mode;
  std::optional<uint32_t> new_mode;
  std::optional<uint32_t> added_mode;
  std::optional<uint32_t> deleted_mode;
  bool index = false;
  std::string old_oid;
  std::string new_oid;
  std::optional<uint32_t> index_mode;

  bool any() const { return index || old_mode || new_mode || added_mode || deleted_mode; }
};

class Parser final {
 public:
  Parser(absl::string_view diff, const Limits& limits) : lines_(diff), limits_(limits) {}

  absl::StatusOr<Patch> Parse() {
    while (!lines_.done()) RETURN_IF_ERROR(ParseSection());
    return std::move(patch_);
  }

 private:
  absl::Status Refuse(absl::string_view reason, absl::string_view message) const {
    return Refused(reason, message, {.path = path_, .line = lines_.number()});
  }

  // Makes the next line the one at hand.
  absl::Status Next() {
    lines_.Next();
    return CheckLine();
  }
  absl::Status CheckLine() const {
    if (lines_.line().size() <= limits_.line_bytes_max) return absl::OkStatus();
    return Refuse("LINE_LENGTH",
                  absl::StrCat("a line is longer than ", limits_.line_bytes_max, " bytes"));
  }
  bool AtSection() const { return lines_.done() || absl::StartsWith(lines_.line(), kSection); }

  absl::Status ParseSection();
  absl::Status ParseHeaders(Headers& headers);
  absl::Status ParseHeader(absl::string_view line, Headers& headers, bool& known);
  absl::Status ParseIndex(absl::string_view text, Headers& headers) const;
  absl::Status DecideOp(const Headers& headers, FileChange& change) const;
  absl::Status CheckOids(const FileChange& change) const;
  absl::Status ParseContent(FileChange& change, bool quoted);
  absl::Status CheckNoContent(const FileChange& change) const;
  absl::Status ParseHunks(FileChange& change);
  absl::Status ParseHunk(FileChange& change, std::vector<Hunk>& hunks);
  absl::Status CheckPosition(const FileChange& change, const std::vector<Hunk>& hunks,
                             const Hunk& hunk);
  absl::Status ParseHunkBody(Hunk& hunk);
  absl::Status ParseMarker(char previous);
  absl::Status ParseBinary(FileChange& change);
  absl::StatusOr<BinaryData> ParseBinaryHalf();
  absl::Status Register(FileChange change);

  DiffLines lines_;
  const Limits& limits_;
  Patch patch_;
  std::string path_;  // Of the section at hand.
  absl::flat_hash_map<std::string, size_t> sections_;
  size_t hunks_ = 0;
  size_t inflated_ = 0;
  // Of the file at hand: lines added less lines removed so far, whether a side has ended.
  int64_t shift_ = 0;
  bool old_ended_ = false;
  bool new_ended_ = false;
};

absl::Status Parser::ParseSection() {
  path_.clear();
  RETURN_IF_ERROR(CheckLine());
  absl::string_view line = lines_.line();
  if (!absl::ConsumePrefix(&line, kSection)) return NotASection(lines_.line(), lines_.number());
  if (absl::EndsWith(line, "\r")) return Refuse("EOL", "the diff's own lines end in CR LF");
  if (patch_.files.size() == limits_.sections_max) {
    return Refuse("LIMITS", absl::StrCat("more than ", limits_.sections_max, " files"));
  }
  FileChange change;
  change.line = lines_.number();
  GitHeader header;
  RETURN_IF_ERROR(ParseGitHeader(line, lines_.number(), header));
  path_ = header.path;
  if (absl::Status status = CheckPath(path_); !status.ok()) {
    base::ErrorDetail detail = base::DetailOf(status).value_or(base::ErrorDetail{});
    detail.metadata["line"] = absl::StrCat(lines_.number());
    return base::WithDetail(std::move(status), detail);
  }
  RETURN_IF_ERROR(Next());
  Headers headers;
  RETURN_IF_ERROR(ParseHeaders(headers));
  RETURN_IF_ERROR(DecideOp(headers, change));
  RETURN_IF_ERROR(ParseContent(change, header.quoted));
  return Register(std::move(change));
}

absl::Status Parser::ParseHeaders(Headers& headers) {
  while (!AtSection()) {
    const absl::string_view line = lines_.line();
    bool known = false;
    RETURN_IF_ERROR(ParseHeader(line, headers, known));
    if (!known) break;
    RETURN_IF_ERROR(Next());
  }
  return absl::OkStatus();
}

absl::Status Parser::ParseHeader(absl::string_view line, Headers& headers, bool& known) {
  struct ModeLine {
    absl::string_view prefix;
    std::optional<uint32_t> Headers::*mode;
  };
  constexpr ModeLine kModeLines[] = {{"old mode", &Headers::old_mode},
                                     {"new mode", &Headers::new_mode},
                                     {"new file mode", &Headers::added_mode},
                                     {"deleted file mode", &Headers::deleted_mode}};
  known = true;
  for (const ModeLine& mode_line : kModeLines) {
    if (!absl::ConsumePrefix(&line, mode_line.prefix)) continue;
    if (absl::EndsWith(line, "\r")) return Refuse("EOL", "the diff's own lines end in CR LF");
    if (headers.index || (headers.*mode_line.mode).has_value() ||
        !absl::ConsumePrefix(&line, " ")) {
      return Refuse("CORRUPT", "a mode line is damaged, repeated or out of place");
    }
    ASSIGN_OR_RETURN(headers.*mode_line.mode,
                     ParseMode(line, {.path = path_, .line = lines_.number()}));
    return absl::OkStatus();
  }
  if (absl::ConsumePrefix(&line, "index ")) return ParseIndex(line, headers);
  for (const absl::string_view prefix : {"rename from ", "rename to ", "copy from ", "copy to ",
                                         "similarity index ", "dissimilarity index "}) {
    if (!absl::StartsWith(line, prefix)) continue;
    if (headers.added_mode || headers.deleted_mode) {
      return Refuse("CORRUPT", "a file is both created or deleted and renamed or copied");
    }
    return Refuse("RENAME",
                  "renames and copies must be written as deletion and addition; "
                  "use --no-renames");
  }
  known = false;
  return absl::OkStatus();
}

absl::Status Parser::ParseIndex(absl::string_view text, Headers& headers) const {
  if (absl::EndsWith(text, "\r")) return Refuse("EOL", "the diff's own lines end in CR LF");
  if (headers.index) return Refuse("CORRUPT", "a second index line");
  const size_t dots = text.find("..");
  if (dots == absl::string_view::npos) return Refuse("CORRUPT", "the index line has no \"..\"");
  const absl::string_view old_oid = text.substr(0, dots);
  text.remove_prefix(dots + 2);
  const absl::string_view new_oid = text.substr(0, text.find(' '));
  text.remove_prefix(new_oid.size());
  if (!IsHex(old_oid) || !IsHex(new_oid) || old_oid.size() > 40 || new_oid.size() > 40) {
    return Refuse("CORRUPT", "the index line holds no object ids");
  }
  if (old_oid.size() != 40 || new_oid.size() != 40) {
    return Refuse("SHORT_OID", "object ids must have 40 digits; use --full-index");
  }
  if (absl::ConsumePrefix(&text, " ")) {
    ASSIGN_OR_RETURN(headers.index_mode, ParseMode(text, {.path = path_, .line = lines_.number()}));
  }
  headers.index = true;
  headers.old_oid = std::string(old_oid);
  headers.new_oid = std::string(new_oid);
  return absl::OkStatus();
}

absl::Status Parser::DecideOp(const Headers& headers, FileChange& change) const {
  if (!headers.any()) {
    return AtSection() ? Refuse("EMPTY_CHANGE", "the section changes nothing")
           : absl::StartsWith(lines_.line(), "--- ")
               ? Refuse("MISSING_INDEX", "no index line; use git diff --full-index")
               : NotASection(lines_.line(), lines_.number());
  }
  const bool mode_change = headers.old_mode.has_value();
  if (mode_change != headers.new_mode.has_value() ||
      mode_change + headers.added_mode.has_value() + headers.deleted_mode.has_value() > 1) {
    return Refuse("CORRUPT", "the mode lines contradict each other");
  }
  if (mode_change && *headers.old_mode == *headers.new_mode) {
    return Refuse("EMPTY_CHANGE", "the old and the new mode are equal");
  }
  if (mode_change && IsFile(*headers.old_mode) != IsFile(*headers.new_mode)) {
    return Refuse("TYPE_CHANGE", "a mode change turns a file into a symlink or back");
  }
  if (!headers.index && (!mode_change || !AtSection())) {
    return Refuse("MISSING_INDEX", "no index line; use git diff --full-index");
  }
  if (headers.added_mode) {
    change.op = ChangeOp::kAdd;
    change.new_mode = *headers.added_mode;
  } else if (headers.deleted_mode) {
    change.op = ChangeOp::kDelete;
    change.old_mode = *headers.deleted_mode;
  } else if (mode_change) {
    change.op = headers.index ? ChangeOp::kModify : ChangeOp::kModeOnly;
    change.old_mode = *headers.old_mode;
    change.new_mode = *headers.new_mode;
  } else if (headers.index_mode) {
    change.old_mode = change.new_mode = *headers.index_mode;
  } else {
    return Refuse("CORRUPT", "the index line states no mode");
  }
  if (headers.index_mode && (mode_change || change.op != ChangeOp::kModify)) {
    return Refuse("CORRUPT", "the index line states a mode beside the mode lines");
  }
  change.old_path = change.op == ChangeOp::kAdd ? "" : path_;
  change.new_path = change.op == ChangeOp::kDelete ? "" : path_;
  change.old_oid = headers.old_oid;
  change.new_oid = headers.new_oid;
  RETURN_IF_ERROR(CheckOids(change));
  if (change.op == ChangeOp::kAdd) change.old_oid.clear();
  if (change.op == ChangeOp::kDelete) change.new_oid.clear();
  return absl::OkStatus();
}

absl::Status Parser::CheckOids(const FileChange& change) const {
  if (change.op == ChangeOp::kModeOnly) return absl::OkStatus();
  if ((change.old_oid == kNullOid) != (change.op == ChangeOp::kAdd) ||
      (change.new_oid == kNullOid) != (change.op == ChangeOp::kDelete)) {
    return Refuse("HEADER_MISMATCH", "the object ids contradict the mode lines");
  }
  if (change.old_oid == change.new_oid) {
    return Refuse("EMPTY_CHANGE", "the old and the new object id are equal");
  }
  return absl::OkStatus();
}

absl::Status Parser::ParseContent(FileChange& change, bool quoted) {
  const absl::string_view line = lines_.line();
  if (!AtSection() && absl::StartsWith(line, "--- ")) return ParseHunks(change);
  if (!quoted && absl::StrContains(path_, " b/")) {
    return Refuse("AMBIGUOUS_HEADER", "the header can be read as more than one pair of names");
  }
  if (AtSection()) return CheckNoContent(change);
  if (line == "GIT binary patch") return ParseBinary(change);
  if (absl::StartsWith(line, "Binary files ") || absl::StartsWith(line, "Files ")) {
    return Refuse("BINARY_NODATA", "a binary change without its data; use git diff --binary");
  }
  if (absl::StartsWith(line, "@@ ")) {
    return Refuse("HEADER_MISMATCH", "a hunk without the lines that name the file");
  }
  return NotASection(line, lines_.number());
}

absl::Status Parser::CheckNoContent(const FileChange& change) const {
  if (change.op == ChangeOp::kModify) return Refuse("CORRUPT", "the hunks are missing");
  if (change.op == ChangeOp::kAdd && change.new_oid != kEmptyBlobOid) {
    return Refuse("OID_MISMATCH", "no hunks, yet the new object id is not that of an empty file");
  }
  if (change.op == ChangeOp::kDelete && change.old_oid != kEmptyBlobOid) {
    return Refuse("STALE", "no hunks, yet the old object id is not that of an empty file");
  }
  return absl::OkStatus();
}

absl::Status Parser::ParseHunks(FileChange& change) {
  const std::string old_name = change.op == ChangeOp::kAdd ? "/dev/null" : "a/" + path_;
  const std::string new_name = change.op == ChangeOp::kDelete ? "/dev/null" : "b/" + path_;
  RETURN_IF_ERROR(CheckFileLine(lines_.line().substr(4), old_name, lines_.number()));
  RETURN_IF_ERROR(Next());
  absl::string_view line = lines_.line();
  if (!absl::ConsumePrefix(&line, "+++ ")) return Refuse("CORRUPT", "no \"+++\" line");
  RETURN_IF_ERROR(CheckFileLine(line, new_name, lines_.number()));
  RETURN_IF_ERROR(Next());
  if (!absl::StartsWith(lines_.line(), "@@ ")) return Refuse("CORRUPT", "the hunks are missing");
  shift_ = 0;
  old_ended_ = new_ended_ = false;
  std::vector<Hunk> hunks;
  while (absl::StartsWith(lines_.line(), "@@ ")) RETURN_IF_ERROR(ParseHunk(change, hunks));
  change.content = std::move(hunks);
  if (AtSection()) return absl::OkStatus();
  line = lines_.line();
  if (absl::StartsWith(line, "@@@ ")) return Refuse("FORMAT", "a combined diff of a merge");
  if (absl::StartsWith(line, "\\")) return Refuse("CORRUPT", "a marker out of place");
  if (absl::StartsWith(line, "--- ")) {
    return Refuse("GARBAGE", "a second diff without a header of its own");
  }
  if (!line.empty() && (line[0] == '+' || line[0] == '-' || line[0] == ' ')) {
    return Refuse("TRAILING_GARBAGE", "more lines than the hunk's header counts");
  }
  return NotASection(line, lines_.number());
}

absl::Status Parser::ParseHunk(FileChange& change, std::vector<Hunk>& hunks) {
  if (++hunks_ > limits_.hunks_max) {
    return Refuse("LIMITS", absl::StrCat("more than ", limits_.hunks_max, " hunks"));
  }
  const std::optional<HunkHeader> header = ParseHunkHeader(lines_.line());
  if (!header.has_value()) return Refuse("CORRUPT", "a damaged hunk header");
  Hunk hunk{.old_start = header->old_start,
            .old_count = header->old_count,
            .new_start = header->new_start,
            .new_count = header->new_count};
  // Each line takes two bytes at least: a header that claims more is refused unread.
  if (std::max(hunk.old_count, hunk.new_count) > lines_.bytes_left() / 2) {
    return Refuse("COUNTS", "the hunk's header counts more lines than the diff has");
  }
  RETURN_IF_ERROR(CheckPosition(change, hunks, hunk));
  RETURN_IF_ERROR(Next());
  RETURN_IF_ERROR(ParseHunkBody(hunk));
  shift_ += static_cast<int64_t>(hunk.new_count) - static_cast<int64_t>(hunk.old_count);
  hunks.push_back(std::move(hunk));
  return absl::OkStatus();
}

absl::Status Parser::CheckPosition(const FileChange& change, const std::vector<Hunk>& hunks,
                                   const Hunk& hunk) {
  // Positions count lines before the hunk: a range of no lines names the line before it.
  const uint64_t old_begin = hunk.old_start - (hunk.old_count == 0 ? 0 : 1);
  const uint64_t new_begin = hunk.new_start - (hunk.new_count == 0 ? 0 : 1);
  if (!hunks.empty()) {
    const Hunk& last = hunks.back();
    const uint64_t last_begin = last.old_start - (last.old_count == 0 ? 0 : 1);
    if (old_begin < last_begin) return Refuse("ORDER", "the hunks are not in order");
    if (old_begin < last_begin + last.old_count) return Refuse("OVERLAP", "the hunks overlap");
  }
  if (static_cast<int64_t>(new_begin) != static_cast<int64_t>(old_begin) + shift_) {
    return Refuse("COUNTS", "the hunk's new position does not follow from the hunks before it");
  }
  if ((change.op == ChangeOp::kAdd && (old_begin != 0 || hunk.old_count != 0 || !hunks.empty())) ||
      (change.op == ChangeOp::kDelete &&
       (new_begin != 0 || hunk.new_count != 0 || !hunks.empty()))) {
    return Refuse("CORRUPT",
                  "a created or deleted file has one hunk that starts at its first line");
  }
  return absl::OkStatus();
}

absl::Status Parser::ParseHunkBody(Hunk& hunk) {
  uint64_t old_left = hunk.old_count;
  uint64_t new_left = hunk.new_count;
  const absl::string_view start = lines_.rest();
  char previous = 0;
  bool changes = false;
  while (old_left > 0 || new_left > 0 || absl::StartsWith(lines_.line(), "\\")) {
    if (lines_.done()) return Refuse("COUNTS", "the diff ends inside a hunk");
    const absl::string_view line = lines_.line();
    const char kind = line.empty() ? '\n' : line[0];
    if (kind == '\\') {
      RETURN_IF_ERROR(ParseMarker(previous));
    } else if (kind == ' ' || kind == '-' || kind == '+') {
      const bool in_old = kind != '+';
      const bool in_new = kind != '-';
      if ((in_old && old_left == 0) || (in_new && new_left == 0)) {
        return Refuse("COUNTS", "the hunk has other lines than its header counts");
      }
      if ((in_old && old_ended_) || (in_new && new_ended_)) {
        return Refuse("CORRUPT", "a line follows the last line of its file");
      }
      if (line.find('\0') != absl::string_view::npos) {
        return Refuse("NUL_IN_TEXT", "a NUL byte in a text change; use git diff --binary");
      }
      old_left -= in_old;
      new_left -= in_new;
      changes = changes || kind != ' ';
    } else if (kind == '@' || absl::StartsWith(line, kSection)) {
      return Refuse("COUNTS", "the hunk has fewer lines than its header counts");
    } else {
      return Refuse("CORRUPT", "a line of a hunk must start with ' ', '-' or '+'");
    }
    previous = kind;
    RETURN_IF_ERROR(Next());
  }
  if (!changes) return Refuse("EMPTY_CHANGE", "a hunk changes nothing");
  hunk.body = std::string(start.substr(0, start.size() - lines_.bytes_left()));
  return absl::OkStatus();
}

absl::Status Parser::ParseMarker(char previous) {
  if (lines_.line() != kNoNewline || previous == 0 || previous == '\\') {
    return Refuse("CORRUPT", "a marker out of place");
  }
  old_ended_ = old_ended_ || previous != '+';
  new_ended_ = new_ended_ || previous != '-';
  return absl::OkStatus();
}

absl::Status Parser::ParseBinary(FileChange& change) {
  RETURN_IF_ERROR(Next());
  ASSIGN_OR_RETURN(BinaryData forward, ParseBinaryHalf());
  ASSIGN_OR_RETURN(const BinaryData reverse, ParseBinaryHalf());
  if (change.op != ChangeOp::kModify &&
      (forward.kind == BinaryData::Kind::kDelta || reverse.kind == BinaryData::Kind::kDelta)) {
    return Refuse("CORRUPT", "a created or deleted file as a delta");
  }
  if ((change.op == ChangeOp::kDelete && !forward.data.empty()) ||
      (change.op == ChangeOp::kAdd && !reverse.data.empty())) {
    return Refuse("CORRUPT", "binary data on the side that must be empty");
  }
  change.content = std::move(forward);
  return absl::OkStatus();
}

absl::StatusOr<BinaryData> Parser::ParseBinaryHalf() {
  BinaryData binary;
  absl::string_view line = lines_.line();
  const bool delta = absl::ConsumePrefix(&line, "delta ");
  if (!delta && !absl::ConsumePrefix(&line, "literal ")) {
    return Refuse("CORRUPT", "a binary change needs its data in both directions");
  }
  uint64_t size = 0;
  if (line.empty() || line.size() > 10) return Refuse("CORRUPT", "a damaged binary size");
  for (const char c : line) {
    if (c < '0' || c > '9') return Refuse("CORRUPT", "a damaged binary size");
    size = size * 10 + (c - '0');
  }
  inflated_ += size;
  if (size > limits_.file_bytes_max || inflated_ > limits_.inflated_bytes_max) {
    return Refuse(delta ? "DELTA_LIMIT" : "INFLATE_LIMIT",
                  "binary data inflates to more than is accepted");
  }
  RETURN_IF_ERROR(Next());
  std::string deflated;
  while (!lines_.line().empty()) {
    if (!DecodeBase85Line(lines_.line(), deflated)) {
      return Refuse("CORRUPT", "a damaged line of binary data");
    }
    RETURN_IF_ERROR(Next());
  }
  if (lines_.done()) return Refuse("CORRUPT", "the diff ends inside binary data");
  ASSIGN_OR_RETURN(binary.data, InflateExactly(deflated, size));
  binary.kind = delta ? BinaryData::Kind::kDelta : BinaryData::Kind::kLiteral;
  if (delta) RETURN_IF_ERROR(CheckDelta(binary.data, limits_.file_bytes_max));
  RETURN_IF_ERROR(Next());
  return binary;
}

absl::Status Parser::Register(FileChange change) {
  const auto [section, inserted] = sections_.try_emplace(path_, patch_.files.size());
  if (!inserted) {
    // A change of type is the one change that takes two sections, as git writes it.
    FileChange& earlier = patch_.files[section->second];
    if (section->second + 1 != patch_.files.size() || earlier.op != ChangeOp::kDelete ||
        change.op != ChangeOp::kAdd || IsFile(earlier.old_mode) == IsFile(change.new_mode)) {
      return Refused("DUP_PATH", "the path is changed twice", {.path = path_, .line = change.line});
    }
    earlier.type_change = change.type_change = true;
    section->second = patch_.files.size();
  }
  patch_.files.push_back(std::move(change));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Patch> ParseUnified(absl::string_view diff, const Limits& limits) {
  if (diff.size() > limits.patch_bytes_max) {
    return Refused("LIMITS",
                   absl::StrCat("the patch is larger than ", limits.patch_bytes_max, " bytes"));
  }
  if (diff.empty()) return Refused("EMPTY_CHANGE", "the patch is empty");
  if (diff.back() != '\n') return Refused("MISSING_NEWLINE", "the last line does not end");
  return Parser(diff, limits).Parse();
}

}  // namespace slipway::patch
