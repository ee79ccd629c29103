#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/client/data_directory.h"

namespace slipway::cli {

// Makes the directories of a suite, private to their owner; run by root, the way to the agents'
// workspaces is searchable for the sandbox's user. FAILED_PRECONDITION (DATA_DIRECTORY_UNUSABLE)
// when it belongs to somebody else, cannot be written or its sockets' paths would be too long.
absl::Status PrepareDataDirectory(const DataDirectory& data);

// Where agents get their workspaces: below the data directory, unless the sandbox's user could not
// reach it there (root's home is private), then in /var/lib.
std::string WorkspaceDirectory(const DataDirectory& data);

// The agent to start: `program`, unless the sandbox's user could not reach it there; then a copy of
// it beside the workspaces, made anew.
absl::StatusOr<std::string> ReachableAgent(const DataDirectory& data, const std::string& program);

}  // namespace slipway::cli
