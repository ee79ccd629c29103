#pragma once

#include <string>

#include "absl/status/status.h"
#include "cli/client/data_directory.h"
#include "cli/demo/sample.h"
#include "cli/supervisor/suite.h"

namespace slipway::cli {

// Where the scripted provider keeps its own books in a demo's data directory.
std::string CallLogPath(const DataDirectory& data);

// Makes the data directory of a suite whose every role is served by the scripted provider of
// `sample`: as overrides, so that `slipway up` on the same directory starts the same suite.
absl::Status PrepareDemoData(const DataDirectory& data, const Sample& sample);

SuiteOptions DemoSuiteOptions(const DataDirectory& data);

}  // namespace slipway::cli
