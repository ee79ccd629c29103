#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "lib/patch/edit_session.h"

namespace slipway::patch {

// Whether `text` holds a line that opens a SEARCH/REPLACE block.
bool HasSearchReplace(absl::string_view text);

// Applies the blocks in order; a later one sees what the earlier ones made. The line before a block
// (or before the fence around it) names its file; a block without one is for the last file named.
// An empty SEARCH creates a file.
absl::Status ReadSearchReplace(absl::string_view text, EditSession& session);

// Puts `new_text` for `old_text` in the file: as bytes where they occur once, else line by line as
// a hunk is applied.
absl::Status ReplaceText(absl::string_view path, absl::string_view old_text,
                         absl::string_view new_text, size_t number, EditSession& session);

}  // namespace slipway::patch
