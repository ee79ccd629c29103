#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "cli/command/invocation.h"
#include "cli/output/exit_code.h"

namespace slipway::cli {

// What a command does. An error is printed with its hint by the caller.
using Action = std::function<absl::StatusOr<ExitCode>(Invocation&)>;

// The commands of the program. Each family adds its own:
//   void AddPlanCommands(CommandSet& commands);
class CommandSet final {
 public:
  explicit CommandSet(CLI::App& app) : app_(app) {}

  // A command that `action` carries out, below `parent` or at the top.
  CLI::App& Add(const std::string& name, const std::string& description, Action action,
                CLI::App* parent = nullptr);

  // A command that only holds others: "slipway budget".
  CLI::App& AddGroup(const std::string& name, const std::string& description);

  // The action of the command that was parsed; empty when there was none.
  const Action& chosen() const { return chosen_; }

 private:
  CLI::App& app_;
  Action chosen_;
};

// The action that connects first.
Action Connected(Action action);

}  // namespace slipway::cli
