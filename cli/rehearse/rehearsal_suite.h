#pragma once

#include <string>

#include "cli/client/data_directory.h"
#include "cli/supervisor/suite.h"

namespace slipway::cli {

// Where the script of a rehearsal lies.
std::string RehearsalDirectory(const DataDirectory& data);

// A suite whose every role is served from the rehearsal's script, for nothing, with `slots` agents
// (0: as many as the machine has processors). Writes the price file.
absl::StatusOr<SuiteOptions> RehearsalSuiteOptions(const DataDirectory& data, int slots);

}  // namespace slipway::cli
