#include "lib/patch/edit_session.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "lib/base/status_macros.h"
#include "lib/patch/applier.h"
#include "lib/patch/path_rules.h"
#include "lib/patch/refusal.h"
#include "lib/patch/renderer.h"
#include "lib/patch/unified_parser.h"

namespace slipway::patch {

absl::StatusOr<std::optional<FileState>> EditSession::Find(absl::string_view path) {
  RETURN_IF_ERROR(CheckPath(path));
  const auto file = files_.find(std::string(path));
  if (file != files_.end()) return file->second;
  ASSIGN_OR_RETURN(const std::optional<BaseView::Entry> entry, base_.Find(path));
  if (!entry.has_value()) return std::nullopt;
  if (entry->mode == kDirectory) {
    return DoesNotFit("DF_CONFLICT", "the path is a directory", {.path = path});
  }
  if (entry->mode == kGitlink) {
    return Refused("SUBMODULE", "changes of submodules are not accepted", {.path = path});
  }
  if (!IsFile(entry->mode)) {
    return Refused("SYMLINK", "a symlink cannot be edited as text", {.path = path});
  }
  FileState state{.mode = entry->mode, .oid = entry->oid};
  ASSIGN_OR_RETURN(state.content, base_.Read(entry->oid));
  return state;
}

absl::StatusOr<FileState> EditSession::Get(absl::string_view path) {
  ASSIGN_OR_RETURN(std::optional<FileState> state, Find(path));
  if (!state.has_value()) {
    return DoesNotFit("MISSING", "there is no such file", {.path = path});
  }
  return *std::move(state);
}

absl::Status EditSession::Write(absl::string_view path, std::string content,
                                std::optional<uint32_t> mode) {
  ASSIGN_OR_RETURN(const std::optional<FileState> earlier, Find(path));
  bytes_ += content.size();
  if (content.size() > limits_.file_bytes_max || bytes_ > limits_.result_bytes_max) {
    return Refused("LIMITS", "the edit writes more than is accepted", {.path = path});
  }
  const uint32_t kept = earlier.has_value() ? earlier->mode : kRegular;
  files_[std::string(path)] = FileState{.mode = mode.value_or(kept), .content = std::move(content)};
  if (files_.size() > limits_.sections_max) {
    return Refused("LIMITS", absl::StrCat("more than ", limits_.sections_max, " files"));
  }
  return absl::OkStatus();
}

absl::Status EditSession::Delete(absl::string_view path) {
  RETURN_IF_ERROR(Get(path).status());
  files_[std::string(path)] = std::nullopt;
  return absl::OkStatus();
}

absl::Status EditSession::Edit(absl::string_view path, const std::vector<LooseHunk>& hunks,
                               Order order) {
  ASSIGN_OR_RETURN(const FileState state, Get(path));
  ASSIGN_OR_RETURN(std::string content, ApplyLooseHunks(path, state.content, hunks, order));
  return Write(path, std::move(content));
}

absl::StatusOr<std::vector<TreeChange>> EditSession::Finish() {
  std::vector<TreeChange> changes;
  for (auto& [path, after] : files_) changes.push_back({.path = path, .after = std::move(after)});
  files_.clear();
  ASSIGN_OR_RETURN(const std::string diff, RenderChanges(changes, base_));
  if (diff.empty()) {
    return Refused("EMPTY_CHANGE", "the edit changes nothing: every file is already as it asks");
  }
  ASSIGN_OR_RETURN(const Patch patch, ParseUnified(diff, limits_));
  return Apply(patch, base_, limits_);
}

}  // namespace slipway::patch
