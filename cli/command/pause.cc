#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/command/families.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::DispatcherService;

struct PauseOptions {
  std::string scope;
  std::string reason;
  bool all = false;
  bool stop_agents = false;
};

absl::StatusOr<std::string> ScopeOf(const PauseOptions& options, Invocation& invocation) {
  if (options.all == !options.scope.empty()) {
    return base::Error(absl::StatusCode::kInvalidArgument, "USAGE",
                       "name one project, plan or task, or give --all");
  }
  if (options.all) return "everything";
  return invocation.names().Scope(options.scope);
}

absl::StatusOr<ExitCode> PauseScope(const std::string& scope, const std::string& reason,
                                    bool stop_agents, Invocation& invocation) {
  dispatcher::v1::PauseRequest request;
  request.set_scope(scope);
  request.set_reason(reason);
  request.set_stop_agents(stop_agents);
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.dispatcher(), &DispatcherService::StubInterface::Pause, request));
  if (invocation.output().json()) {
    invocation.output().Json(response);
  } else {
    invocation.output().Line(
        absl::StrCat("paused ", scope, "; ", response.stopped(), " attempts were stopped"));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Pause(const PauseOptions& options, Invocation& invocation) {
  ASSIGN_OR_RETURN(const std::string scope, ScopeOf(options, invocation));
  return PauseScope(scope, options.reason, options.stop_agents, invocation);
}

absl::StatusOr<ExitCode> Resume(const PauseOptions& options, Invocation& invocation) {
  dispatcher::v1::ResumeRequest request;
  ASSIGN_OR_RETURN(*request.mutable_scope(), ScopeOf(options, invocation));
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.dispatcher(), &DispatcherService::StubInterface::Resume, request));
  if (invocation.output().json()) {
    invocation.output().Json(response);
  } else {
    invocation.output().Line(
        absl::StrCat(request.scope(), " goes on; ", response.resumed(), " tasks are ready again"));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddPauseCommands(CommandSet& commands) {
  const auto pause = std::make_shared<PauseOptions>();
  CLI::App& pause_command = commands.Add(
      "pause", "Start no more work in a project, plan or task",
      Connected([pause](Invocation& invocation) { return Pause(*pause, invocation); }));
  pause_command.add_option("SCOPE", pause->scope, "A project, a plan or a task");
  pause_command.add_flag("--all", pause->all, "Everything");
  pause_command.add_flag("--stop-agents", pause->stop_agents, "Also take back what is under way");
  pause_command.add_option("--reason", pause->reason, "Why; shown to people");

  const auto resume = std::make_shared<PauseOptions>();
  CLI::App& resume_command = commands.Add(
      "resume", "Let paused work go on",
      Connected([resume](Invocation& invocation) { return Resume(*resume, invocation); }));
  resume_command.add_option("SCOPE", resume->scope, "A project, a plan or a task");
  resume_command.add_flag("--all", resume->all, "Everything");

  const auto reason = std::make_shared<std::string>("killed by a person");
  CLI::App& kill_command =
      commands.Add("kill", "Pause everything and stop every agent now",
                   Connected([reason](Invocation& invocation) {
                     return PauseScope("everything", *reason, /*stop_agents=*/true, invocation);
                   }));
  kill_command.add_option("--reason", *reason, "Why; shown to people");
}

}  // namespace slipway::cli
