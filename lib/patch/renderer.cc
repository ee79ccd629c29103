#include "lib/patch/renderer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "lib/base/status_macros.h"
#include "lib/patch/binary_data.h"
#include "lib/patch/blob_id.h"
#include "lib/patch/line_diff.h"
#include "lib/patch/patch.h"
#include "lib/patch/quoted_path.h"

namespace slipway::patch {
namespace {

constexpr size_t kContextLines = 3;

using Lines = std::vector<absl::string_view>;

bool IsText(absl::string_view content) {
  static const Limits kLimits;
  if (content.find('\0') != absl::string_view::npos) return false;
  for (const absl::string_view line : SplitLines(content)) {
    if (line.size() >= kLimits.line_bytes_max) return false;
  }
  return true;
}

std::string OidOf(const std::optional<FileState>& state) {
  if (!state.has_value()) return std::string(kNullOid);
  return state->oid.empty() ? GitBlobId(state->content) : state->oid;
}

absl::string_view ContentOf(const std::optional<FileState>& state) {
  return state.has_value() ? absl::string_view(state->content) : absl::string_view();
}

void AppendLine(char kind, absl::string_view line, std::string& out) {
  absl::StrAppend(&out, absl::string_view(&kind, 1), line);
  if (line.empty() || line.back() != '\n') out.append("\n\\ No newline at end of file\n");
}

std::string Range(size_t begin, size_t end) {
  const size_t count = end - begin;
  if (count == 1) return absl::StrCat(begin + 1);
  return absl::StrCat(count == 0 ? begin : begin + 1, ",", count);
}

// Writes the hunk of `edits` [first, last), which share their context.
void AppendHunk(const Lines& old_lines, const Lines& new_lines, const std::vector<LineEdit>& edits,
                size_t first, size_t last, std::string& out) {
  const size_t before = std::min(kContextLines, edits[first].old_begin);
  const size_t after = std::min(kContextLines, old_lines.size() - edits[last - 1].old_end);
  const size_t old_begin = edits[first].old_begin - before;
  const size_t old_end = edits[last - 1].old_end + after;
  absl::StrAppend(&out, "@@ -", Range(old_begin, old_end), " +",
                  Range(edits[first].new_begin - before, edits[last - 1].new_end + after), " @@\n");
  size_t old_at = old_begin;
  for (size_t i = first; i < last; ++i) {
    for (; old_at < edits[i].old_begin; ++old_at) AppendLine(' ', old_lines[old_at], out);
    for (; old_at < edits[i].old_end; ++old_at) AppendLine('-', old_lines[old_at], out);
    for (size_t at = edits[i].new_begin; at < edits[i].new_end; ++at) {
      AppendLine('+', new_lines[at], out);
    }
  }
  for (; old_at < old_end; ++old_at) AppendLine(' ', old_lines[old_at], out);
}

void AppendHunks(absl::string_view before, absl::string_view after, std::string& out) {
  const Lines old_lines = SplitLines(before);
  const Lines new_lines = SplitLines(after);
  const std::vector<LineEdit> edits = DiffLineLists(old_lines, new_lines);
  for (size_t first = 0; first < edits.size();) {
    size_t last = first + 1;
    while (last < edits.size() &&
           edits[last].old_begin - edits[last - 1].old_end <= 2 * kContextLines) {
      ++last;
    }
    AppendHunk(old_lines, new_lines, edits, first, last, out);
    first = last;
  }
}

// The name of a "---" or "+++" line: git ends one that holds a space with a tab.
std::string FileLine(bool present, absl::string_view prefix, absl::string_view path) {
  if (!present) return "/dev/null";
  return absl::StrCat(QuotePath(absl::StrCat(prefix, path)),
                      path.find(' ') == absl::string_view::npos ? "" : "\t");
}

void AppendSection(const FileDiff& diff, std::string& out) {
  const std::optional<FileState>& before = diff.before;
  const std::optional<FileState>& after = diff.after;
  const std::string old_oid = OidOf(before);
  const std::string new_oid = OidOf(after);
  const bool same_mode = before.has_value() && after.has_value() && before->mode == after->mode;
  if (same_mode && old_oid == new_oid) return;
  absl::StrAppend(&out, "diff --git ", QuotePath(absl::StrCat("a/", diff.path)), " ",
                  QuotePath(absl::StrCat("b/", diff.path)), "\n");
  if (!before.has_value()) {
    absl::StrAppendFormat(&out, "new file mode %06o\n", after->mode);
  } else if (!after.has_value()) {
    absl::StrAppendFormat(&out, "deleted file mode %06o\n", before->mode);
  } else if (!same_mode) {
    absl::StrAppendFormat(&out, "old mode %06o\nnew mode %06o\n", before->mode, after->mode);
  }
  if (old_oid == new_oid) return;
  absl::StrAppend(&out, "index ", old_oid, "..", new_oid);
  if (same_mode) absl::StrAppendFormat(&out, " %06o", before->mode);
  out.push_back('\n');
  const absl::string_view old_content = ContentOf(before);
  const absl::string_view new_content = ContentOf(after);
  if (old_content.empty() && new_content.empty()) return;
  if (!IsText(old_content) || !IsText(new_content)) {
    absl::StrAppend(&out, "GIT binary patch\n", EncodeBinaryLiteral(new_content),
                    EncodeBinaryLiteral(old_content));
    return;
  }
  absl::StrAppend(&out, "--- ", FileLine(before.has_value(), "a/", diff.path), "\n+++ ",
                  FileLine(after.has_value(), "b/", diff.path), "\n");
  AppendHunks(old_content, new_content, out);
}

}  // namespace

std::string RenderUnified(const std::vector<FileDiff>& diffs) {
  std::string out;
  for (const FileDiff& diff : diffs) {
    if (!diff.before.has_value() && !diff.after.has_value()) continue;
    if (diff.before.has_value() && diff.after.has_value() &&
        IsFile(diff.before->mode) != IsFile(diff.after->mode)) {
      AppendSection({.path = diff.path, .before = diff.before}, out);
      AppendSection({.path = diff.path, .after = diff.after}, out);
      continue;
    }
    AppendSection(diff, out);
  }
  return out;
}

absl::StatusOr<std::string> RenderChanges(const std::vector<TreeChange>& changes, BaseView& base) {
  std::vector<FileDiff> diffs;
  diffs.reserve(changes.size());
  for (const TreeChange& change : changes) {
    FileDiff diff{.path = change.path, .after = change.after};
    ASSIGN_OR_RETURN(const std::optional<BaseView::Entry> entry, base.Find(change.path));
    if (entry.has_value() && entry->mode != kDirectory && entry->mode != kGitlink) {
      FileState before{.mode = entry->mode, .oid = entry->oid};
      ASSIGN_OR_RETURN(before.content, base.Read(entry->oid));
      diff.before = std::move(before);
    }
    diffs.push_back(std::move(diff));
  }
  return RenderUnified(diffs);
}

}  // namespace slipway::patch
