#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "lib/patch/base_view.h"
#include "lib/patch/patch.h"
#include "lib/patch/tree_change.h"

namespace slipway::patch {

// The new content of a file, given its old one (empty for an addition; the result of a deletion is
// empty). Every context and removed line must stand, byte for byte, at its stated line, and the
// result must have the stated id. Linear in the sizes.
//
// Fails with FAILED_PRECONDITION: STALE, EOL_MISMATCH (differs in CR only), ZERO_CONTEXT,
// OID_MISMATCH; with INVALID_ARGUMENT: LIMITS, CORRUPT.
absl::StatusOr<std::string> ApplyToContent(const FileChange& change, absl::string_view old_content,
                                           const Limits& limits = {});

// Applies all of `patch` or nothing; the changes are in order of path, one for each.
//
// Beyond the failures of ApplyToContent, FAILED_PRECONDITION: EXISTS, MISSING, DF_CONFLICT,
// STALE_MODE, MODE_MISMATCH, STALE_OID; INVALID_ARGUMENT: SUBMODULE, SYMLINK_TARGET. Collisions of
// letter case are for the caller's policy. Errors of `base` pass through.
absl::StatusOr<std::vector<TreeChange>> Apply(const Patch& patch, BaseView& base,
                                              const Limits& limits = {});

}  // namespace slipway::patch
