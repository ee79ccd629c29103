#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/base/file.h"

namespace slipway::sandbox {

// Takes the directory `workspace` (which need not exist yet) for this process, by a lock on the
// file "<workspace>.lock" beside it: hold the result for as long as the directory is in use, and
// remove the file after the directory. FAILED_PRECONDITION (LOCKED) while somebody else has it.
absl::StatusOr<base::UniqueFd> LockWorkspace(const std::string& workspace);

struct Swept {
  int removed = 0;
  std::string problem;  // With what was left for the next sweep; empty when nothing was.
};

// Removes the locked directories below `parent`, with their lock files, whose owners died. Follows
// no symbolic link; what has no lock file is left alone. Any number may sweep at once, and while
// workspaces are made. Nothing to do when `parent` is missing. Thread-safe.
absl::StatusOr<Swept> SweepWorkspaces(const std::string& parent);

}  // namespace slipway::sandbox
