#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "lib/patch/edit_session.h"

namespace slipway::patch {

// Whether `text` holds a line "*** Begin Patch".
bool HasPatchEnvelope(absl::string_view text);

// Reads "*** Begin Patch" ... "*** End Patch" with its Add, Update, Move and Delete sections. Text
// around the envelope is ignored; a second envelope is refused.
absl::Status ReadPatchEnvelope(absl::string_view text, EditSession& session);

}  // namespace slipway::patch
