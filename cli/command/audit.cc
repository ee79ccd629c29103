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

using ledger::v1::AuditResponse;
using ledger::v1::LedgerService;

// Every row of the ledger is read.
constexpr absl::Duration kAuditTimeout = absl::Hours(1);

struct AuditOptions {
  std::string database;
};

absl::StatusOr<AuditResponse> AuditOnline(Invocation& invocation) {
  RETURN_IF_ERROR(invocation.Connect());
  Connection& connection = invocation.connection();
  return connection.Call(connection.ledger(), &LedgerService::StubInterface::Audit, {},
                         kAuditTimeout);
}

// A ledger's file is read by the ledger's own program alone.
absl::StatusOr<AuditResponse> AuditDatabase(const std::string& path) {
  const std::string program = ProgramDirectory() + "/slipway-ledger";
  if (access(program.c_str(), X_OK) != 0) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "BINARY_MISSING",
                       absl::StrCat("there is no program ", program), {{"program", program}});
  }
  ASSIGN_OR_RETURN(
      const base::CommandResult result,
      base::RunCommand({.argv = {program, "--audit", path}, .inherit_env = true}, kAuditTimeout));
  AuditResponse response;
  const bool answered = !result.timed_out && result.exit.signal == 0 &&
                        google::protobuf::util::JsonStringToMessage(result.out, &response).ok() &&
                        response.checks_size() > 0;
  if (answered) return response;
  return base::Error(
      absl::StatusCode::kInvalidArgument, "DATABASE_UNREADABLE",
      absl::StrCat("'", path, "' cannot be audited: ", result.err.substr(0, result.err.find('\n'))),
      {{"path", path}});
}

void PrintAudit(const AuditResponse& audit, Output& output) {
  TextTable table({{"INVARIANT"}, {"CHECKED", TextTable::Align::kRight}, {"BREACHES"}});
  int broken = 0;
  for (const AuditResponse::Check& check : audit.checks()) {
    const bool holds = check.breaches().empty();
    if (!holds) ++broken;
    table.Add(
        {check.invariant(), CountText(check.checked()),
         holds ? Cell("none", Tone::kGood) : Cell(CountText(check.breaches_size()), Tone::kBad)});
  }
  output.Table(table);
  for (const AuditResponse::Check& check : audit.checks()) {
    for (const std::string& breach : check.breaches()) {
      output.Line(
          absl::StrCat(check.invariant().substr(0, check.invariant().find(' ')), "  ", breach));
    }
  }
  output.Line(broken == 0
                  ? absl::StrCat("all ", audit.checks_size(), " invariants hold")
                  : absl::StrCat("broken: ", broken, " of ", audit.checks_size(), " invariants"));
}

absl::StatusOr<ExitCode> AuditLedger(const AuditOptions& options, Invocation& invocation) {
  ASSIGN_OR_RETURN(const AuditResponse audit, options.database.empty()
                                                  ? AuditOnline(invocation)
                                                  : AuditDatabase(options.database));
  if (invocation.output().json()) {
    invocation.output().Json(audit);
  } else {
    PrintAudit(audit, invocation.output());
  }
  for (const AuditResponse::Check& check : audit.checks()) {
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
      [ledger](Invocation& invocation) { return AuditLedger(*ledger, invocation); }, &group);
  ledger_command.add_option("--database", ledger->database,
                            "A ledger's file or a copy of it, instead of the suite's ledger");
}

}  // namespace slipway::cli
