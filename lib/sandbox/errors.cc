#include "lib/sandbox/errors.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace slipway::sandbox {

absl::Status SandboxMissing(absl::string_view program) {
  return base::Error(absl::StatusCode::kFailedPrecondition, "SANDBOX_MISSING",
                     absl::StrCat("the sandbox needs ", program,
                                  ", which is not installed: install the packages bubblewrap and "
                                  "util-linux"),
                     {{"program", std::string(program)}});
}

absl::Status SandboxBroken(absl::string_view cause) {
  return base::Error(absl::StatusCode::kFailedPrecondition, "SANDBOX_BROKEN",
                     absl::StrCat("bubblewrap cannot isolate programs on this machine: ", cause));
}

absl::Status ContainerBroken(absl::string_view cause) {
  return base::Error(
      absl::StatusCode::kFailedPrecondition, "SANDBOX_BROKEN",
      absl::StrCat(
          "this is not a container that isolates: ", cause,
          "; let a docker host of the dispatcher start it, or set isolation to BUBBLEWRAP"));
}

absl::Status SandboxStartFailed(absl::string_view cause) {
  return base::Error(absl::StatusCode::kInternal, "SANDBOX_START_FAILED",
                     absl::StrCat("the sandbox was not set up, nothing was run: ", cause));
}

absl::Status SandboxSpecInvalid(absl::string_view cause) {
  return base::Error(absl::StatusCode::kInvalidArgument, "SANDBOX_SPEC_INVALID", cause);
}

absl::Status SandboxPathUnreachable(absl::string_view path) {
  return base::Error(absl::StatusCode::kFailedPrecondition, "SANDBOX_PATH_UNREACHABLE",
                     absl::StrCat("the sandbox's user cannot reach ", path,
                                  ": make the directory searchable for it (chmod o+x)"),
                     {{"path", std::string(path)}});
}

absl::Status WorkspaceUnsafe(absl::string_view cause) {
  return base::Error(absl::StatusCode::kFailedPrecondition, "SANDBOX_WORKSPACE_UNSAFE", cause);
}

}  // namespace slipway::sandbox
