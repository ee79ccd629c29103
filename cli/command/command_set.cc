#include "cli/command/command_set.h"

#include "lib/base/status_macros.h"

namespace slipway::cli {

CLI::App& CommandSet::Add(const std::string& name, const std::string& description, Action action,
                          CLI::App* parent) {
  CLI::App* const command = (parent == nullptr ? &app_ : parent)->add_subcommand(name, description);
  // Of a command with others below it, the one that was named is chosen.
  command->callback([this, command, action = std::move(action)] {
    if (command->get_subcommands().empty()) chosen_ = action;
  });
  return *command;
}

CLI::App& CommandSet::AddGroup(const std::string& name, const std::string& description) {
  CLI::App* const group = app_.add_subcommand(name, description);
  group->require_subcommand(1);
  return *group;
}

Action Connected(Action action) {
  return [action = std::move(action)](Invocation& invocation) -> absl::StatusOr<ExitCode> {
    RETURN_IF_ERROR(invocation.Connect());
    return action(invocation);
  };
}

}  // namespace slipway::cli
