#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace slipway::sandbox {

absl::Status SandboxMissing(absl::string_view program);       // SANDBOX_MISSING
absl::Status SandboxBroken(absl::string_view cause);          // SANDBOX_BROKEN
absl::Status ContainerBroken(absl::string_view cause);        // SANDBOX_BROKEN
absl::Status SandboxStartFailed(absl::string_view cause);     // SANDBOX_START_FAILED
absl::Status SandboxSpecInvalid(absl::string_view cause);     // SANDBOX_SPEC_INVALID
absl::Status SandboxPathUnreachable(absl::string_view path);  // SANDBOX_PATH_UNREACHABLE
absl::Status WorkspaceUnsafe(absl::string_view cause);        // SANDBOX_WORKSPACE_UNSAFE

}  // namespace slipway::sandbox
