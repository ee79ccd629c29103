#pragma once

#include <string>

#include "cli/command/command_set.h"

namespace slipway::cli {

// slipway completion bash: prints a script made from the commands of `app`, which must outlive
// the parse.
void AddCompletionCommand(CommandSet& commands, CLI::App& app);

// The script itself.
std::string BashCompletion(const CLI::App& app);

}  // namespace slipway::cli
