#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "lib/patch/base_view.h"
#include "lib/patch/loose_hunk.h"
#include "lib/patch/patch.h"
#include "lib/patch/tree_change.h"

namespace slipway::patch {

// A tree being edited: what was changed so far over a base. Every path is checked.
class EditSession final {
 public:
  EditSession(BaseView& base, const Limits& limits) : base_(base), limits_(limits) {}

  // The file at `path` as it is now; absent when there is none. Fails for symlinks (SYMLINK),
  // submodules and directories.
  absl::StatusOr<std::optional<FileState>> Find(absl::string_view path);

  // The file at `path`, else FAILED_PRECONDITION, MISSING.
  absl::StatusOr<FileState> Get(absl::string_view path);

  // Makes `content` the file's; a new file has the mode given, else kRegular.
  absl::Status Write(absl::string_view path, std::string content,
                     std::optional<uint32_t> mode = std::nullopt);
  absl::Status Delete(absl::string_view path);

  // Whether the hunks of a file must come in the order of their places.
  using Order = HunkOrder;

  // Applies the hunks to the file at `path`.
  absl::Status Edit(absl::string_view path, const std::vector<LooseHunk>& hunks,
                    Order order = Order::kAny);

  bool renames() const { return limits_.renames; }

  // All changes, checked as Apply checks a strict patch. Fails with EMPTY_CHANGE when nothing
  // differs from the base.
  absl::StatusOr<std::vector<TreeChange>> Finish();

 private:
  BaseView& base_;
  const Limits& limits_;
  std::map<std::string, std::optional<FileState>> files_;
  size_t bytes_ = 0;
};

}  // namespace slipway::patch
