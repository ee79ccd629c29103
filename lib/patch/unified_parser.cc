#include "lib/patch/unified_parser.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
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
#include "lib/patch/section_headers.h"

namespace slipway::patch {
namespace {

constexpr absl::string_view kSection = "diff --git ";
constexpr absl::string_view kNoNewline = "\\ No newline at end of file";

class Parser final {
 public:
  Parser(absl::string_view diff, const Limits& limits) : lines_(diff), limits_(limits) {}

  absl::StatusOr<Patch> Parse() {
    while (!lines_.done()) RETURN_IF_ERROR(ParseSection());
    return std::move(patch_);
  }

 private:
  absl::Status Refuse(absl::string_view reason, absl::string_view message) const {
    return Refused(reason, message, Here());
  }
  Place Here() const { return {.path = path_, .line = lines_.number()}; }

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
  absl::Status ParseHeaders(SectionHeaders& headers);
  absl::Status NameMove(absl::string_view header, const SectionHeaders& headers);
  absl::Status NoHeaders() const;
  absl::Status CheckSectionPath(absl::string_view path) const;
  absl::Status ParseContent(FileChange& change, bool ambiguous);
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
  absl::Status RegisterMove(const FileChange& change);

  DiffLines lines_;
  const Limits& limits_;
  Patch patch_;
  std::string path_;                                   // Of the section at hand.
  absl::flat_hash_map<std::string, size_t> sections_;  // Of changes that do not move.
  absl::flat_hash_set<std::string> renamed_;           // Old paths.
  absl::flat_hash_set<std::string> targets_;           // New paths of renames and copies.
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
  // Says where the section is until it has a name; a rename's is known only after its headers.
  const absl::StatusOr<GitHeader> header = ParseGitHeader(line, lines_.number());
  if (header.ok()) {
    path_ = header->path;
    RETURN_IF_ERROR(CheckSectionPath(path_));
  } else if (base::ReasonOf(header.status()) != "HEADER_MISMATCH") {
    return header.status();
  }
  RETURN_IF_ERROR(Next());
  SectionHeaders headers;
  RETURN_IF_ERROR(ParseHeaders(headers));
  if (headers.moves()) {
    RETURN_IF_ERROR(NameMove(line, headers));
  } else {
    RETURN_IF_ERROR(header.status());
    if (!headers.any()) return NoHeaders();
  }
  const SectionHeaders::Next next = AtSection() ? SectionHeaders::Next::kNothing
                                    : absl::StartsWith(lines_.line(), "--- ")
                                        ? SectionHeaders::Next::kText
                                        : SectionHeaders::Next::kOther;
  RETURN_IF_ERROR(headers.Decide(path_, next, Here(), change));
  RETURN_IF_ERROR(ParseContent(change, header.ok() && header->ambiguous));
  return Register(std::move(change));
}

absl::Status Parser::ParseHeaders(SectionHeaders& headers) {
  while (!AtSection()) {
    bool known = false;
    RETURN_IF_ERROR(headers.Take(lines_.line(), Here(), known));
    if (!known) break;
    RETURN_IF_ERROR(Next());
  }
  return absl::OkStatus();
}

absl::Status Parser::NameMove(absl::string_view header, const SectionHeaders& headers) {
  RETURN_IF_ERROR(headers.CheckMove(header, limits_.renames, Here()));
  RETURN_IF_ERROR(CheckSectionPath(headers.from()));
  path_ = headers.to();
  return CheckSectionPath(path_);
}

absl::Status Parser::CheckSectionPath(absl::string_view path) const {
  absl::Status status = CheckPath(path);
  if (status.ok()) return status;
  base::ErrorDetail detail = base::DetailOf(status).value_or(base::ErrorDetail{});
  detail.metadata["line"] = absl::StrCat(lines_.number());
  return base::WithDetail(std::move(status), detail);
}

absl::Status Parser::NoHeaders() const {
  if (AtSection()) return Refuse("EMPTY_CHANGE", "the section changes nothing");
  if (absl::StartsWith(lines_.line(), "--- ")) {
    return Refuse("MISSING_INDEX", "no index line; use git diff --full-index");
  }
  return NotASection(lines_.line(), lines_.number());
}

absl::Status Parser::ParseContent(FileChange& change, bool ambiguous) {
  const absl::string_view line = lines_.line();
  if (!AtSection() && absl::StartsWith(line, "--- ")) return ParseHunks(change);
  if (ambiguous) {
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
  const bool stays = change.old_oid.empty() && change.new_oid.empty();
  if (change.op == ChangeOp::kModify || (change.moves() && !stays)) {
    return Refuse("CORRUPT", "the hunks are missing");
  }
  if (change.op == ChangeOp::kAdd && change.new_oid != kEmptyBlobOid) {
    return Refuse("OID_MISMATCH", "no hunks, yet the new object id is not that of an empty file");
  }
  if (change.op == ChangeOp::kDelete && change.old_oid != kEmptyBlobOid) {
    return Refuse("STALE", "no hunks, yet the old object id is not that of an empty file");
  }
  return absl::OkStatus();
}

absl::Status Parser::ParseHunks(FileChange& change) {
  const std::string old_name = change.op == ChangeOp::kAdd ? "/dev/null" : "a/" + change.old_path;
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
  if ((change.op == ChangeOp::kAdd || change.op == ChangeOp::kDelete) &&
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

absl::Status Parser::RegisterMove(const FileChange& change) {
  const Place place{.path = path_, .line = change.line};
  if (change.op == ChangeOp::kRename &&
      (sections_.contains(change.old_path) || !renamed_.insert(change.old_path).second)) {
    return Refused("DUP_SOURCE", "the file is renamed twice, or renamed and changed", place);
  }
  if (sections_.contains(path_) || !targets_.insert(path_).second) {
    return Refused("DUP_TARGET", "two changes write the path", place);
  }
  return absl::OkStatus();
}

absl::Status Parser::Register(FileChange change) {
  if (change.moves()) {
    RETURN_IF_ERROR(RegisterMove(change));
    patch_.files.push_back(std::move(change));
    return absl::OkStatus();
  }
  if (renamed_.contains(path_) || targets_.contains(path_)) {
    return Refused(targets_.contains(path_) ? "DUP_TARGET" : "DUP_SOURCE",
                   "the path is renamed or copied, and changed",
                   {.path = path_, .line = change.line});
  }
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
