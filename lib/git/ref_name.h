#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace slipway::git {

// OK when `ref` is a full ref name ("refs/heads/x") that git accepts and that is harmless in a
// command line and a file system; else RefNameInvalid, which says what is wrong. At most 255 bytes.
absl::Status CheckRefName(absl::string_view ref);

}  // namespace slipway::git
