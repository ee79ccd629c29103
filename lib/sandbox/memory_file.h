#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/file.h"

namespace slipway::sandbox {

// An anonymous file that holds `content`, positioned at its start.
absl::StatusOr<base::UniqueFd> MemoryFile(absl::string_view content);

}  // namespace slipway::sandbox
