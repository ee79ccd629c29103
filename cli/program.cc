#include "cli/program.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/command/command_set.h"
#include "cli/command/completion.h"
#include "cli/command/families.h"
#include "cli/demo/demo_command.h"
#include "cli/output/output.h"
#include "cli/rehearse/rehearse_command.h"
#include "cli/review/review_command.h"
#include "cli/supervisor/suite.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"

namespace slipway::cli {
namespace {

constexpr char kDescription[] =
    "Slipway turns a written spec into reviewed, merged code.\n"
    "Begin with: slipway up --detach; slipway init; slipway plan SPEC.md";

constexpr char kFooter[] =
    "Names may be short: PLAN is an id, its beginning, or 'latest'; TASK is an id or PLAN/TASK;\n"
    "ATTEMPT is TASK@NUMBER.\n"
    "Exit codes: 0 ok, 1 the work failed, 2 wrong usage or bad input, 3 not found, 4 refused\n"
    "(permission, or not possible as things stand), 5 the suite does not answer, 6 waits for a "
    "person.";

struct GlobalOptions {
  Invocation::Options invocation;
  std::string format = "table";
  bool no_color = false;
};

void AddGlobalOptions(CLI::App& app, GlobalOptions& options) {
  TargetOptions& target = options.invocation.target;
  app.add_option("--data", target.data,
                 "Data directory; default $SLIPWAY_DATA or the user's state");
  app.add_option("--address", target.address, "Gateway: unix:/path, 127.0.0.1:PORT, https://HOST");
  app.add_option("--token-file", target.token_file, "File with the token to show");
  app.add_option("--project,-p", options.invocation.project, "Project that short names belong to");
  app.add_option("--output,-o", options.format, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  app.add_flag("--no-color", options.no_color, "No colours, as with NO_COLOR set");
  app.set_version_flag("--version", absl::StrCat("slipway ", Version()));
}

// Before parsing has told: errors of parsing come in the format that was asked for, too.
bool AsksForJson(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "-ojson" || argument == "--output=json" || argument == "-o=json") return true;
    if ((argument == "-o" || argument == "--output") && i + 1 < arguments.size() &&
        arguments[i + 1] == "json") {
      return true;
    }
  }
  return false;
}

winsize TerminalSize() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return size;
}

Output MakeOutput(const Streams& streams, bool json, bool no_color) {
  const char* const forbidden = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::string(terminal) == "dumb";
  const bool colour = !no_color && !dumb && (forbidden == nullptr || *forbidden == '\0') &&
                      streams.results_are_a_terminal && streams.progress_is_a_terminal;
  const winsize size = streams.results_are_a_terminal ? TerminalSize() : winsize{};
  return Output(streams.results, streams.progress,
                {.format = json ? Format::kJson : Format::kTable,
                 .colour = colour && !json,
                 .live = streams.results_are_a_terminal && !dumb,
                 .width = size.ws_col,
                 .height = size.ws_row});
}

void AddCommands(CommandSet& commands, CLI::App& app) {
  AddUpCommands(commands);
  AddDoctorCommand(commands);
  AddProjectCommands(commands);
  AddPlanCommands(commands);
  AddShowCommands(commands);
  AddFollowCommands(commands);
  AddStatusCommands(commands);
  AddHostCommands(commands);
  AddTaskCommands(commands);
  AddPauseCommands(commands);
  AddQueueCommand(commands);
  AddRollbackCommand(commands);
  AddMoneyCommands(commands);
  AddAuditCommands(commands);
  AddModelsCommands(commands);
  AddTokenCommands(commands);
  AddDemoCommand(commands);
  AddRehearseCommand(commands);
  AddReviewCommands(commands);
  AddCompletionCommand(commands, app);
}

// The help and version texts are results; everything else that stops parsing is an error.
int FinishParsing(const CLI::App& app, const CLI::ParseError& error, const Streams& streams,
                  Output& output) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    return app.exit(error, streams.results, streams.progress);
  }
  const std::vector<std::string> extra = app.remaining(/*recurse=*/true);
  return static_cast<int>(output.Fail(
      base::Error(absl::StatusCode::kInvalidArgument, "USAGE",
                  extra.empty() ? error.what()
                                : absl::StrCat("there is no command or option '", extra[0], "'"))));
}

}  // namespace

int RunProgram(std::vector<std::string> arguments, Streams streams) {
  GlobalOptions options;
  CLI::App app(kDescription, "slipway");
  app.footer(kFooter);
  app.fallthrough();
  app.require_subcommand(1);
  AddGlobalOptions(app, options);
  CommandSet commands(app);
  AddCommands(commands, app);
  const bool json = AsksForJson(arguments);
  if (arguments.empty() || arguments[0] == "help") {
    // "slipway help plan" is "slipway plan --help".
    if (!arguments.empty()) arguments.erase(arguments.begin());
    arguments.push_back("--help");
  }
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back.
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    Output output = MakeOutput(streams, json, options.no_color);
    return FinishParsing(app, error, streams, output);
  }
  Output output = MakeOutput(streams, options.format == "json", options.no_color);
  Invocation invocation(options.invocation, output, streams.input, base::RealClock());
  const absl::StatusOr<ExitCode> result = commands.chosen()(invocation);
  if (!result.ok()) return static_cast<int>(output.Fail(result.status()));
  return static_cast<int>(*result);
}

}  // namespace slipway::cli
