#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "lib/patch/edit_session.h"

namespace slipway::patch {

// Reads a unified diff that a model typed: with or without "diff --git" lines, ids, right counts.
// The text of the hunks decides; see ReadModelEdit for what is not believed.
absl::Status ReadLooseDiff(absl::string_view diff, EditSession& session);

}  // namespace slipway::patch
