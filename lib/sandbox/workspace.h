#pragma once

#include <string>

#include "absl/status/status.h"
#include "lib/sandbox/spec.h"

namespace slipway::sandbox {

// Gives `directory` and all below it to the sandbox's user; without root there is nothing to
// give. Follows no symbolic link. SANDBOX_WORKSPACE_UNSAFE when a file of somebody else has
// further names (a hard link may lie outside) or the tree is deeper than 128.
absl::Status PrepareWorkspace(const std::string& directory, uid_t uid = kDefaultUid,
                              gid_t gid = kDefaultUid);

// Removes `directory` with everything below, however deep and whatever the modes; follows no
// symbolic link. OK when it is missing. No sandbox may be using it.
absl::Status RemoveWorkspace(const std::string& directory);

}  // namespace slipway::sandbox
