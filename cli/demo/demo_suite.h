#pragma once

#include <string>

#include "cli/client/data_directory.h"
#include "cli/demo/sample.h"
#include "cli/supervisor/suite.h"

namespace slipway::cli {

// Where the scripted provider keeps its own books in a demo's data directory.
std::string CallLogPath(const DataDirectory& data);

// A suite whose every role is served by the scripted provider of `sample`.
SuiteOptions DemoSuiteOptions(const DataDirectory& data, const Sample& sample);

}  // namespace slipway::cli
