#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/command/families.h"
#include "cli/output/quantity_text.h"
#include "cli/supervisor/suite.h"
#include "lib/base/error.h"
#include "lib/base/process.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::DispatcherService;
using ledger::v1::LedgerService;

// Every row of a database is read.
constexpr absl::Duration kAuditTimeout = absl::Hours(1);

struct AuditOptions {
  std::string database;
};

struct LedgerAudit {
  using Response = ledger::v1::AuditResponse;
  static constexpr const char* kProgram = "slipway-ledger";

  static absl::StatusOr<Response> Ask(Connection& connection) {
    return connection.Call(connection.ledger(), &LedgerService::StubInterface::Audit, {},
                           kAuditTimeout);
  }
};

struct DispatcherAudit {
  using Response = dispatcher::v1::AuditResponse;
  static constexpr const char* kProgram = "slipway-dispatcher";

  static absl::StatusOr<Response> Ask(Connection& connection) {
    return connection.Call(connection.dispatcher(), &DispatcherService::StubInterface::Audit, {},
                           kAuditTimeout);
  }
};

template <typename Service>
absl::StatusOr<typename Service::Response> AuditOnline(Invocation& invocation) {
  RETURN_IF_ERROR(invocation.Connect());
  return Service::Ask(invocation.connection());
}

// A service's file is read by the service's own program alone.
template <typename Service>
absl::StatusOr<typename Service::Response> AuditDatabase(const std::string& path) {
  const std::string program = absl::StrCat(ProgramDirectory(), "/", Service::kProgram);
  if (access(program.c_str(), X_OK) != 0) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "BINARY_MISSING",
                       absl::StrCat("there is no program ", program), {{"program", program}});
  }
  ASSIGN_OR_RETURN(
      const base::CommandResult result,
      base::RunCommand({.argv = {program, "--audit", path}, .inherit_env = true}, kAuditTimeout));
  typename Service::Response response;
  const bool answered = !result.timed_out && result.exit.signal == 0 &&
                        google::protobuf::util::JsonStringToMessage(result.out, &response).ok() &&
                        response.checks_size() > 0;
  if (answered) return response;
  return base::Error(
      absl::StatusCode::kInvalidArgument, "DATABASE_UNREADABLE",
      absl::StrCat("'", path, "' cannot be audited: ", result.err.substr(0, result.err.find('\n'))),
      {{"path", path}});
}

template <typename Response>
void PrintAudit(const Response& audit, Output& output) {
  TextTable table({{"INVARIANT"}, {"CHECKED", TextTable::Align::kRight}, {"BREACHES"}});
  int broken = 0;
  for (const auto& check : audit.checks()) {
    const bool holds = check.breaches().empty();
    if (!holds) ++broken;
    table.Add(
        {check.invariant(), CountText(check.checked()),
         holds ? Cell("none", Tone::kGood) : Cell(CountText(check.breaches_size()), Tone::kBad)});
  }
  output.Table(table);
  for (const auto& check : audit.checks()) {
    for (const std::string& breach : check.breaches()) {
      output.Line(
          absl::StrCat(check.invariant().substr(0, check.invariant().find(' ')), "  ", breach));
    }
  }
  output.Line(broken == 0
                  ? absl::StrCat("all ", audit.checks_size(), " invariants hold")
                  : absl::StrCat("broken: ", broken, " of ", audit.checks_size(), " invariants"));
}

template <typename Service>
absl::StatusOr<ExitCode> Audit(const AuditOptions& options, Invocation& invocation) {
  ASSIGN_OR_RETURN(const auto audit, options.database.empty()
                                         ? AuditOnline<Service>(invocation)
                                         : AuditDatabase<Service>(options.database));
  if (invocation.output().json()) {
    invocation.output().Json(audit);
  } else {
    PrintAudit(audit, invocation.output());
  }
  for (const auto& check : audit.checks()) {
    if (!check.breaches().empty()) return ExitCode::kFailed;
  }
  return ExitCode::kOk;
}

}  // namespace

void AddAuditCommands(CommandSet& commands) {
  CLI::App& group = commands.AddGroup("audit", "Check what must always hold");
  const auto ledger = std::make_shared<AuditOptions>();
  CLI::App& ledger_command = commands.Add(
      "ledger", "Compute every balance again from the ledger's journal and rows",
      [ledger](Invocation& invocation) { return Audit<LedgerAudit>(*ledger, invocation); }, &group);
  ledger_command.add_option("--database", ledger->database,
                            "A ledger's file or a copy of it, instead of the suite's ledger");
  const auto dispatcher = std::make_shared<AuditOptions>();
  CLI::App& dispatcher_command = commands.Add(
      "dispatcher", "Walk the dispatcher's whole log and compare it with its tables",
      [dispatcher](Invocation& invocation) {
        return Audit<DispatcherAudit>(*dispatcher, invocation);
      },
      &group);
  dispatcher_command.add_option("--database", dispatcher->database,
                                "A dispatcher's file or a copy of it, instead of the suite's");
}

}  // namespace slipway::cli
