#pragma once

#include "cli/command/command_set.h"

namespace slipway::cli {

void AddRehearseCommand(CommandSet& commands);  // rehearse

}  // namespace slipway::cli
