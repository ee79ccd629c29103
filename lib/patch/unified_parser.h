#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "lib/patch/patch.h"

namespace slipway::patch {

// Reads what `git diff --binary --full-index --no-renames` writes, with `limits.renames` also -M
// and -C, and nothing else, in time linear in the size of `diff`. A patch it returns changes
// exactly the paths it shows.
//
// Fails with INVALID_ARGUMENT and metadata "path" and "line" where known. Reasons: those of
// CheckPath, and LIMITS, LINE_LENGTH, MISSING_NEWLINE, FORMAT, GARBAGE, TRAILING_GARBAGE, EOL,
// PREFIX, HEADER_MISMATCH, AMBIGUOUS_HEADER, RENAME, DUP_PATH, DUP_SOURCE, DUP_TARGET,
// MISSING_INDEX, SHORT_OID, BAD_MODE, SUBMODULE, TYPE_CHANGE, EMPTY_CHANGE, COUNTS, ORDER, OVERLAP,
// NUL_IN_TEXT, BINARY_NODATA, INFLATE_LIMIT, DELTA_LIMIT, STALE, OID_MISMATCH, CORRUPT.
absl::StatusOr<Patch> ParseUnified(absl::string_view diff, const Limits& limits = {});

}  // namespace slipway::patch
