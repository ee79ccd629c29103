#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "lib/patch/base_view.h"
#include "lib/patch/tree_change.h"

namespace slipway::patch {

// A path with what stands there before and after; absent: nothing. An empty oid is computed.
struct FileDiff {
  std::string path;  // Passes CheckPath.
  std::optional<FileState> before;
  std::optional<FileState> after;
};

// The diff that ParseUnified and `git apply` read, one section for each path that differs (two for
// a change of type), in the order given. Contents with a NUL byte or an overlong line are written
// as binary. Empty when nothing differs.
std::string RenderUnified(const std::vector<FileDiff>& diffs);

// The same for changes of `base`. Errors of `base` pass through.
absl::StatusOr<std::string> RenderChanges(const std::vector<TreeChange>& changes, BaseView& base);

}  // namespace slipway::patch
