#pragma once

#include "cli/command/command_set.h"

namespace slipway::cli {

void AddDemoCommand(CommandSet& commands);  // demo

}  // namespace slipway::cli
