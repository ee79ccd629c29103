#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cli/client/connection.h"
#include "cli/client/data_directory.h"

namespace slipway::cli {

// What a person said about which suite is meant; all may be empty.
struct TargetOptions {
  std::string data;        // Empty: DataDirectory::DefaultPath().
  std::string address;     // Empty: the suite that `slipway up` started in `data`.
  std::string token_file;  // Empty: the local token of `data`.
};

DataDirectory DataOf(const TargetOptions& options);

// UNAVAILABLE (NOT_RUNNING), UNAUTHENTICATED (TOKEN_MISSING).
absl::StatusOr<Target> FindTarget(const TargetOptions& options);

}  // namespace slipway::cli
