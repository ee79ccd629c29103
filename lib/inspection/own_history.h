#pragma once

#include <string>

#include "absl/strings/ascii.h"
#include "absl/time/time.h"
#include "lib/base/process.h"

namespace slipway::inspection {

// The git directory with the history of these sources, also where they are a linked work tree;
// empty when they are no checkout. For tests.
inline std::string OwnHistory() {
  const absl::StatusOr<base::CommandResult> result =
      base::RunCommand({.argv = {"git", "rev-parse", "--path-format=absolute", "--git-common-dir"},
                        .inherit_env = true,
                        .directory = SLIPWAY_SOURCE_DIR},
                       absl::Seconds(20));
  if (!result.ok() || !result->exit.ok()) return "";
  return std::string(absl::StripAsciiWhitespace(result->out));
}

}  // namespace slipway::inspection
