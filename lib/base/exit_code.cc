#include "lib/base/exit_code.h"

#include <cstdio>
#include <string>

#include "lib/base/error.h"

namespace slipway::base {

int ExitCode(const absl::Status& status) {
  if (status.ok()) return 0;
  const std::string reason = ReasonOf(status);
  std::fprintf(stderr, "error: %s%s%s%s\n", std::string(status.message()).c_str(),
               reason.empty() ? "" : " [", reason.c_str(), reason.empty() ? "" : "]");
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      return 2;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnavailable:
      return 3;
    default:
      return 1;
  }
}

}  // namespace slipway::base
