#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/base/file.h"

namespace slipway::cli {

// A log that has grown beyond this is set aside as "<path>.1" when its service starts.
inline constexpr int64_t kLogBytesMax = 8 << 20;

// Opens `path` for appending, private to its owner.
absl::StatusOr<base::UniqueFd> OpenLog(const std::string& path);

// The last lines of the log, at most `lines_max`; empty when there is none.
std::string LogTail(const std::string& path, int lines_max);

}  // namespace slipway::cli
