#include "agent/domain/errors.h"

#include <string>

#include "absl/strings/str_cat.h"

#include "agent/domain/limits.h"
#include "lib/base/error.h"
#include "lib/base/utf8.h"

namespace slipway::agent {

absl::Status IdentityMissing(absl::string_view variable) {
  return base::Error(absl::StatusCode::kInvalidArgument, "IDENTITY_MISSING",
                     absl::StrCat("the environment variable ", variable,
                                  " is not set; whoever starts the agent sets it"),
                     {{"variable", std::string(variable)}});
}

absl::Status ConfigIncomplete(absl::string_view field) {
  return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_INCOMPLETE",
                     absl::StrCat("the configuration must set ", field),
                     {{"field", std::string(field)}});
}

absl::Status ProgramNotRunnable(absl::string_view output) {
  return base::Error(absl::StatusCode::kFailedPrecondition, "PROGRAM_NOT_RUNNABLE",
                     absl::StrCat("slipway-agent does not run inside the sandbox; install it and "
                                  "its libraries below /usr or in directories that everybody may "
                                  "search: ",
                                  output));
}

absl::Status DispatcherUnreachable(absl::string_view last) {
  return base::Error(absl::StatusCode::kUnavailable, "DISPATCHER_UNREACHABLE",
                     absl::StrCat("no dispatcher answered for ",
                                  absl::FormatDuration(kIdleOfflineMax), ": ", last));
}

absl::Status GrantLost(absl::string_view cause) {
  return base::Error(absl::StatusCode::kAborted, "GRANT_LOST", cause);
}

absl::Status SnapshotTooLarge() {
  return base::Error(absl::StatusCode::kOutOfRange, "SNAPSHOT_TOO_LARGE",
                     absl::StrCat("the snapshot is larger than ", kSnapshotBytesMax >> 20, " MiB"));
}

absl::Status TreeMismatch(absl::string_view expected, absl::string_view actual) {
  return base::Error(absl::StatusCode::kDataLoss, "TREE_MISMATCH",
                     absl::StrCat("the snapshot has tree ", actual, ", the grant says ", expected));
}

absl::Status RunnerProtocol(absl::string_view cause) {
  return base::Error(absl::StatusCode::kInvalidArgument, "RUNNER_PROTOCOL", cause);
}

absl::Status WorkFileInvalid(absl::string_view cause) {
  return base::Error(absl::StatusCode::kInvalidArgument, "WORK_FILE_INVALID",
                     absl::StrCat("the work file cannot be read: ", cause));
}

absl::Status GitFailed(absl::string_view command, absl::string_view output) {
  return base::Error(absl::StatusCode::kInternal, "GIT_FAILED",
                     absl::StrCat("git ", command, " failed: ", base::ToUtf8(output, 2'048)));
}

absl::Status PatchTooLarge() {
  return base::Error(absl::StatusCode::kOutOfRange, "PATCH_TOO_LARGE",
                     absl::StrCat("the change is larger than ", kPatchBytesMax >> 20,
                                  " MiB as a patch; split the task"));
}

}  // namespace slipway::agent
