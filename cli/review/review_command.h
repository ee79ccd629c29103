#pragma once

#include "cli/command/command_set.h"

namespace slipway::cli {

void AddReviewCommands(CommandSet& commands);  // review check, review explain

}  // namespace slipway::cli
