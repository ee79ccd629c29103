#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace slipway::agent {

// Why the agent ends before it takes work.
absl::Status IdentityMissing(absl::string_view variable);    // IDENTITY_MISSING
absl::Status ConfigIncomplete(absl::string_view field);      // CONFIG_INCOMPLETE
absl::Status ProgramNotRunnable(absl::string_view output);   // PROGRAM_NOT_RUNNABLE
absl::Status DispatcherUnreachable(absl::string_view last);  // DISPATCHER_UNREACHABLE

// Why an attempt ends.
absl::Status GrantLost(absl::string_view cause);  // GRANT_LOST: nothing is to be handed in.
absl::Status SnapshotTooLarge();                  // SNAPSHOT_TOO_LARGE
absl::Status TreeMismatch(absl::string_view expected, absl::string_view actual);  // TREE_MISMATCH
absl::Status RunnerProtocol(absl::string_view cause);                             // RUNNER_PROTOCOL
absl::Status WorkFileInvalid(absl::string_view cause);                        // WORK_FILE_INVALID
absl::Status GitFailed(absl::string_view command, absl::string_view output);  // GIT_FAILED
absl::Status PatchTooLarge();                                                 // PATCH_TOO_LARGE

}  // namespace slipway::agent
