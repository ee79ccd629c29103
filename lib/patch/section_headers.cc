#include "lib/patch/section_headers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

#include "lib/base/status_macros.h"
#include "lib/patch/blob_id.h"
#include "lib/patch/diff_lines.h"

namespace slipway::patch {
namespace {

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

absl::Status SectionHeaders::Take(absl::string_view line, const Place& place, bool& known) {
  struct ModeLine {
    absl::string_view prefix;
    std::optional<uint32_t> SectionHeaders::*mode;
  };
  constexpr ModeLine kModeLines[] = {{"old mode", &SectionHeaders::old_mode_},
                                     {"new mode", &SectionHeaders::new_mode_},
                                     {"new file mode", &SectionHeaders::added_mode_},
                                     {"deleted file mode", &SectionHeaders::deleted_mode_}};
  known = true;
  for (const ModeLine& mode_line : kModeLines) {
    if (!absl::ConsumePrefix(&line, mode_line.prefix)) continue;
    if (absl::EndsWith(line, "\r")) {
      return Refused("EOL", "the diff's own lines end in CR LF", place);
    }
    if (index_ || (this->*mode_line.mode).has_value() || !absl::ConsumePrefix(&line, " ")) {
      return Refused("CORRUPT", "a mode line is damaged, repeated or out of place", place);
    }
    ASSIGN_OR_RETURN(this->*mode_line.mode, ParseMode(line, place));
    return absl::OkStatus();
  }
  if (absl::ConsumePrefix(&line, "index ")) return TakeIndex(line, place);
  return TakeMove(line, place, known);
}

absl::Status SectionHeaders::TakeMove(absl::string_view line, const Place& place, bool& known) {
  if (absl::StartsWith(line, "dissimilarity index ")) {
    return Refused("FORMAT", "a rewrite split in two; do not use -B", place);
  }
  const bool similarity = absl::ConsumePrefix(&line, "similarity index ");
  const bool copy = !similarity && absl::ConsumePrefix(&line, "copy ");
  const bool move = copy || (!similarity && absl::ConsumePrefix(&line, "rename "));
  const bool from = move && absl::ConsumePrefix(&line, "from ");
  known = similarity || from || (move && absl::ConsumePrefix(&line, "to "));
  if (!known) return absl::OkStatus();
  if (absl::EndsWith(line, "\r")) {
    return Refused("EOL", "the diff's own lines end in CR LF", place);
  }
  if (added_mode_ || deleted_mode_) {
    return Refused("CORRUPT", "a file is both created or deleted and renamed or copied", place);
  }
  const absl::Status damaged =
      Refused("CORRUPT", "a line of a rename or copy is damaged, repeated or out of place", place);
  if (similarity) {
    int percent = 0;
    if (similarity_ || moves() || index_ || !absl::ConsumeSuffix(&line, "%") ||
        !absl::SimpleAtoi(line, &percent) || percent < 0 || percent > 100) {
      return damaged;
    }
    similarity_ = percent;
    return absl::OkStatus();
  }
  std::optional<std::string>& name = from ? from_ : to_;
  const bool mixed = !from && copy != copy_;
  if (index_ || name.has_value() || (!from && !from_.has_value()) || mixed) return damaged;
  name = PlainName(line);
  copy_ = copy;
  return name.has_value() ? absl::OkStatus() : damaged;
}

absl::Status SectionHeaders::TakeIndex(absl::string_view text, const Place& place) {
  if (absl::EndsWith(text, "\r")) {
    return Refused("EOL", "the diff's own lines end in CR LF", place);
  }
  if (index_) return Refused("CORRUPT", "a second index line", place);
  const size_t dots = text.find("..");
  if (dots == absl::string_view::npos) {
    return Refused("CORRUPT", "the index line has no \"..\"", place);
  }
  const absl::string_view old_oid = text.substr(0, dots);
  text.remove_prefix(dots + 2);
  const absl::string_view new_oid = text.substr(0, text.find(' '));
  text.remove_prefix(new_oid.size());
  if (!IsHex(old_oid) || !IsHex(new_oid) || old_oid.size() > 40 || new_oid.size() > 40) {
    return Refused("CORRUPT", "the index line holds no object ids", place);
  }
  if (old_oid.size() != 40 || new_oid.size() != 40) {
    return Refused("SHORT_OID", "object ids must have 40 digits; use --full-index", place);
  }
  if (absl::ConsumePrefix(&text, " ")) {
    ASSIGN_OR_RETURN(index_mode_, ParseMode(text, place));
  } else if (!text.empty()) {
    return Refused("CORRUPT", "something follows the object ids", place);
  }
  index_ = true;
  old_oid_ = std::string(old_oid);
  new_oid_ = std::string(new_oid);
  return absl::OkStatus();
}

absl::Status SectionHeaders::CheckMove(absl::string_view header, bool allowed,
                                       const Place& place) const {
  if (from_ && to_ && (*from_ == *to_ || !NamesMove(header, *from_, *to_))) {
    return Refused("HEADER_MISMATCH", "the lines of the rename or copy name other files", place);
  }
  if (!allowed) {
    return Refused("RENAME",
                   "renames and copies must be written as deletion and addition; "
                   "use --no-renames",
                   place);
  }
  if (!from_ || !to_ || !similarity_) {
    return Refused("CORRUPT", "the lines of a rename or copy are not complete", place);
  }
  if (*similarity_ == 100 && index_) {
    return Refused("HEADER_MISMATCH", "the files are said to be equal, yet there is a change",
                   place);
  }
  return absl::OkStatus();
}

absl::Status SectionHeaders::Decide(const std::string& path, Next next, const Place& place,
                                    FileChange& change) const {
  RETURN_IF_ERROR(DecideModes(place, next, change));
  change.old_path = change.op == ChangeOp::kAdd ? "" : moves() ? *from_ : path;
  change.new_path = change.op == ChangeOp::kDelete ? "" : path;
  if (!index_) return absl::OkStatus();
  change.old_oid = old_oid_;
  change.new_oid = new_oid_;
  RETURN_IF_ERROR(CheckOids(place, change));
  if (change.op == ChangeOp::kAdd) change.old_oid.clear();
  if (change.op == ChangeOp::kDelete) change.new_oid.clear();
  return absl::OkStatus();
}

absl::Status SectionHeaders::DecideModes(const Place& place, Next next, FileChange& change) const {
  const bool mode_change = old_mode_.has_value();
  if (mode_change != new_mode_.has_value() ||
      mode_change + added_mode_.has_value() + deleted_mode_.has_value() > 1) {
    return Refused("CORRUPT", "the mode lines contradict each other", place);
  }
  if (mode_change && *old_mode_ == *new_mode_) {
    return Refused("EMPTY_CHANGE", "the old and the new mode are equal", place);
  }
  if (mode_change && IsFile(*old_mode_) != IsFile(*new_mode_)) {
    return Refused("TYPE_CHANGE", "a mode change turns a file into a symlink or back", place);
  }
  const bool bare = mode_change || moves();  // Without an index line when the content stays.
  if (!index_ && (!bare || next != Next::kNothing)) {
    return Refused("MISSING_INDEX", "no index line; use git diff --full-index", place);
  }
  if (index_mode_ && (mode_change || added_mode_ || deleted_mode_)) {
    return Refused("CORRUPT", "the index line states a mode beside the mode lines", place);
  }
  if (added_mode_) {
    change.op = ChangeOp::kAdd;
    change.new_mode = *added_mode_;
    return absl::OkStatus();
  }
  if (deleted_mode_) {
    change.op = ChangeOp::kDelete;
    change.old_mode = *deleted_mode_;
    return absl::OkStatus();
  }
  change.op = moves()  ? copy_ ? ChangeOp::kCopy : ChangeOp::kRename
              : index_ ? ChangeOp::kModify
                       : ChangeOp::kModeOnly;
  if (mode_change) {
    change.old_mode = *old_mode_;
    change.new_mode = *new_mode_;
  } else if (index_mode_) {
    change.old_mode = change.new_mode = *index_mode_;
  } else if (index_) {
    return Refused("CORRUPT", "the index line states no mode", place);
  }
  return absl::OkStatus();
}

absl::Status SectionHeaders::CheckOids(const Place& place, const FileChange& change) const {
  if ((change.old_oid == kNullOid) != (change.op == ChangeOp::kAdd) ||
      (change.new_oid == kNullOid) != (change.op == ChangeOp::kDelete)) {
    return Refused("HEADER_MISMATCH", "the object ids contradict the mode lines", place);
  }
  if (change.old_oid == change.new_oid) {
    return Refused("EMPTY_CHANGE", "the old and the new object id are equal", place);
  }
  return absl::OkStatus();
}

}  // namespace slipway::patch
