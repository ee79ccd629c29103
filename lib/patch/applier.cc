#include "lib/patch/applier.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "lib/base/status_macros.h"
#include "lib/patch/binary_data.h"
#include "lib/patch/blob_id.h"
#include "lib/patch/diff_lines.h"
#include "lib/patch/path_rules.h"
#include "lib/patch/refusal.h"

namespace slipway::patch {
namespace {

// Builds the new content while walking once through the old one.
class HunkApplier final {
 public:
  HunkApplier(const FileChange& change, absl::string_view old_content)
      : change_(change), rest_(old_content) {
    content_.reserve(old_content.size());
  }

  absl::StatusOr<std::string> Apply() && {
    const bool old_empty = rest_.empty();
    for (const Hunk& hunk : change_.hunks()) {
      ++hunk_;
      if (hunk.old_count == 0 && !old_empty) {
        return Stale("ZERO_CONTEXT", "a hunk without context in a file that is not empty");
      }
      RETURN_IF_ERROR(ApplyHunk(hunk));
    }
    if (!rest_.empty()) RETURN_IF_ERROR(Emit(rest_));
    return std::move(content_);
  }

 private:
  absl::Status Stale(absl::string_view reason, absl::string_view message) const {
    return DoesNotFit(reason, message,
                      {.path = change_.path(), .line = change_.line, .hunk = hunk_});
  }

  absl::Status Emit(absl::string_view bytes) {
    if (!content_.empty() && content_.back() != '\n') {
      return Refused("CORRUPT", "text follows a last line without newline",
                     {.path = change_.path(), .line = change_.line, .hunk = hunk_});
    }
    content_.append(bytes.data(), bytes.size());
    return absl::OkStatus();
  }

  absl::Status ApplyHunk(const Hunk& hunk) {
    const uint64_t begin = hunk.old_start - (hunk.old_count == 0 ? 0 : 1);
    absl::string_view kept = rest_;
    for (; line_ < begin; ++line_) {
      if (rest_.empty()) {
        return Stale("STALE", absl::StrCat("the hunk starts at line ", hunk.old_start,
                                           ", the file ends at line ", line_));
      }
      TakeLine();
    }
    kept.remove_suffix(rest_.size());
    if (!kept.empty()) RETURN_IF_ERROR(Emit(kept));
    for (const HunkLine& line : hunk.Lines()) {
      if (line.kind != '+') RETURN_IF_ERROR(Match(line));
      if (line.kind == '-') continue;
      RETURN_IF_ERROR(Emit(line.text));
      if (line.newline) content_.push_back('\n');
    }
    return absl::OkStatus();
  }

  absl::Status Match(const HunkLine& expected) {
    if (rest_.empty()) {
      return Stale("STALE", absl::StrCat("line ", line_ + 1,
                                         " is past the end of the file, the "
                                         "patch expects: ",
                                         Shown(expected.text)));
    }
    const bool newline = rest_.find('\n') != absl::string_view::npos;
    const absl::string_view actual = TakeLine();
    ++line_;
    if (actual == expected.text && newline == expected.newline) return absl::OkStatus();
    if (actual == expected.text) {
      return Stale("STALE", absl::StrCat("line ", line_, newline ? " ends" : " does not end",
                                         " in a newline, the patch expects the opposite"));
    }
    if (WithoutCr(actual) == WithoutCr(expected.text)) {
      return Stale("EOL_MISMATCH", absl::StrCat("line ", line_, " differs in its line end only"));
    }
    return Stale("STALE", absl::StrCat("line ", line_, " is: ", Shown(actual),
                                       "; the patch expects: ", Shown(expected.text)));
  }

  // Takes a line off the old content, without its line end.
  absl::string_view TakeLine() {
    const absl::string_view line = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(line.size() < rest_.size() ? line.size() + 1 : line.size());
    return line;
  }

  const FileChange& change_;
  absl::string_view rest_;  // Of the old content.
  uint64_t line_ = 0;       // Lines of the old content taken.
  size_t hunk_ = 0;
  std::string content_;
};

// Applies one patch onto one base.
class TreeApplier final {
 public:
  TreeApplier(const Patch& patch, BaseView& base, const Limits& limits)
      : patch_(patch), base_(base), limits_(limits) {}

  absl::StatusOr<std::vector<TreeChange>> Apply() && {
    for (const FileChange& change : patch_.files) {
      if (change.op == ChangeOp::kDelete || change.op == ChangeOp::kRename) {
        deleted_.insert(change.old_path);
      }
      if (change.op != ChangeOp::kDelete) written_.insert(change.new_path);
    }
    for (const FileChange& change : patch_.files) RETURN_IF_ERROR(ApplyChange(change));
    std::vector<TreeChange> changes;
    changes.reserve(results_.size());
    for (auto& [path, after] : results_) {
      changes.push_back({.path = path, .after = std::move(after)});
    }
    return changes;
  }

 private:
  static absl::Status Fail(const FileChange& change, absl::string_view reason,
                           absl::string_view message) {
    return DoesNotFit(reason, message, {.path = change.path(), .line = change.line});
  }

  absl::Status ApplyChange(const FileChange& change) {
    RETURN_IF_ERROR(CheckPath(change.path()));
    uint32_t mode = change.new_mode;
    std::string old_content;
    if (change.op == ChangeOp::kAdd || change.moves()) RETURN_IF_ERROR(CheckAddition(change));
    if (change.op != ChangeOp::kAdd) {
      ASSIGN_OR_RETURN(const BaseView::Entry entry, FindOld(change));
      ASSIGN_OR_RETURN(old_content, base_.Read(entry.oid));
      if (mode == 0) mode = entry.mode;
    }
    ASSIGN_OR_RETURN(std::string content, ApplyToContent(change, old_content, limits_));
    if (change.op == ChangeOp::kDelete) {
      results_.try_emplace(change.path(), std::nullopt);
      return absl::OkStatus();
    }
    if (change.op == ChangeOp::kRename) results_.try_emplace(change.old_path, std::nullopt);
    if (mode == kSymlink) RETURN_IF_ERROR(CheckSymlinkTarget(change.path(), content));
    result_bytes_ += content.size();
    if (result_bytes_ > limits_.result_bytes_max) {
      return Refused("LIMITS", absl::StrCat("the changed files have more than ",
                                            limits_.result_bytes_max, " bytes together"));
    }
    FileState after{.mode = mode, .oid = change.new_oid};
    if (after.oid.empty()) after.oid = GitBlobId(content);
    after.content = std::move(content);
    results_[change.path()] = std::move(after);
    return absl::OkStatus();
  }

  // The entry that `change` modifies or deletes, which must be the one it was made for.
  absl::StatusOr<BaseView::Entry> FindOld(const FileChange& change) {
    if (change.moves()) RETURN_IF_ERROR(CheckPath(change.old_path));
    ASSIGN_OR_RETURN(const std::optional<BaseView::Entry> entry, base_.Find(change.old_path));
    if (!entry.has_value()) return Fail(change, "MISSING", "there is no such file");
    if (entry->mode == kDirectory) return Fail(change, "MISSING", "the path is a directory");
    if (entry->mode == kGitlink) {
      return Refused("SUBMODULE", "changes of submodules are not accepted",
                     {.path = change.path(), .line = change.line});
    }
    const bool kept = change.moves() && change.old_mode == 0;
    if (!kept && entry->mode != change.old_mode) {
      return Fail(change,
                  change.old_mode == change.new_mode && change.op != ChangeOp::kDelete
                      ? "MODE_MISMATCH"
                      : "STALE_MODE",
                  absl::StrFormat("the file's mode is %06o, the patch states %06o", entry->mode,
                                  change.old_mode));
    }
    if (!change.old_oid.empty() && entry->oid != change.old_oid) {
      return Fail(
          change, "STALE_OID",
          absl::StrCat("the file is ", entry->oid, ", the patch was made for ", change.old_oid));
    }
    return *entry;
  }

  absl::Status CheckAddition(const FileChange& change) {
    RETURN_IF_ERROR(CheckParents(change));
    if (change.type_change) return absl::OkStatus();  // Its deletion was checked just before.
    ASSIGN_OR_RETURN(const std::optional<BaseView::Entry> entry, base_.Find(change.path()));
    if (!entry.has_value()) return absl::OkStatus();
    if (entry->mode != kDirectory) {
      // A rename may take the place of a file that another rename takes away.
      if (change.moves() && deleted_.contains(change.path())) return absl::OkStatus();
      return Fail(change, "EXISTS", "the file exists already");
    }
    ASSIGN_OR_RETURN(const bool emptied, IsEmptied(change.path()));
    if (emptied) return absl::OkStatus();
    return Fail(change, "DF_CONFLICT", "the path is a directory that stays");
  }

  // No parent of an added path may be a file afterwards.
  absl::Status CheckParents(const FileChange& change) {
    const std::string& path = change.path();
    bool in_base = true;
    for (size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      if (written_.contains(parent)) {
        return Fail(change, "DF_CONFLICT", "a parent of the path is a file of the same patch");
      }
      if (!in_base || directories_.contains(parent) || deleted_.contains(parent)) continue;
      ASSIGN_OR_RETURN(const std::optional<BaseView::Entry> entry, base_.Find(parent));
      if (entry.has_value() && entry->mode != kDirectory) {
        return Fail(change, "DF_CONFLICT", "a parent of the path is no directory");
      }
      in_base = entry.has_value();
      if (in_base) directories_.insert(parent);
    }
    return absl::OkStatus();
  }

  // Whether the patch deletes all below `directory`. Looks at no more entries than it deletes.
  absl::StatusOr<bool> IsEmptied(const std::string& directory) {
    std::vector<std::string> pending = {directory};
    while (!pending.empty()) {
      const std::string current = std::move(pending.back());
      pending.pop_back();
      ASSIGN_OR_RETURN(const std::vector<BaseView::NamedEntry> entries, base_.List(current));
      for (const BaseView::NamedEntry& named : entries) {
        std::string path = absl::StrCat(current, "/", named.name);
        if (named.entry.mode == kDirectory) {
          pending.push_back(std::move(path));
        } else if (!deleted_.contains(path)) {
          return false;
        }
      }
    }
    return true;
  }

  const Patch& patch_;
  BaseView& base_;
  const Limits& limits_;
  absl::flat_hash_set<std::string> deleted_;
  absl::flat_hash_set<std::string> written_;
  absl::flat_hash_set<std::string> directories_;  // Known to be in the base.
  std::map<std::string, std::optional<FileState>> results_;
  size_t result_bytes_ = 0;
};

}  // namespace

absl::StatusOr<std::string> ApplyToContent(const FileChange& change, absl::string_view old_content,
                                           const Limits& limits) {
  const Place place{.path = change.path(), .line = change.line};
  if (old_content.size() > limits.file_bytes_max) {
    return Refused("LIMITS",
                   absl::StrCat("the file has more than ", limits.file_bytes_max, " bytes"), place);
  }
  std::string content;
  if (!change.binary()) {
    ASSIGN_OR_RETURN(content, HunkApplier(change, old_content).Apply());
  } else {
    const auto& binary = std::get<BinaryData>(change.content);
    if (binary.kind == BinaryData::Kind::kLiteral) {
      content = binary.data;
    } else {
      ASSIGN_OR_RETURN(content, ApplyDelta(binary.data, old_content, limits.file_bytes_max));
    }
  }
  if (content.size() > limits.file_bytes_max) {
    return Refused("LIMITS",
                   absl::StrCat("the file would have more than ", limits.file_bytes_max, " bytes"),
                   place);
  }
  if (change.op == ChangeOp::kDelete && !content.empty()) {
    return DoesNotFit("STALE", "the deletion leaves text that the patch does not show", place);
  }
  if (!change.new_oid.empty() && GitBlobId(content) != change.new_oid) {
    return DoesNotFit(
        "OID_MISMATCH",
        absl::StrCat("the result is not the object ", change.new_oid, " that the patch states"),
        place);
  }
  return content;
}

absl::StatusOr<std::vector<TreeChange>> Apply(const Patch& patch, BaseView& base,
                                              const Limits& limits) {
  return TreeApplier(patch, base, limits).Apply();
}

}  // namespace slipway::patch
