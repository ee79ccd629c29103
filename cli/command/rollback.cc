#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/command/families.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

using reviewer::v1::ReviewerService;
using reviewer::v1::RollBackRequest;
using reviewer::v1::RollBackResponse;

struct RollbackOptions {
  std::string plan;
  std::string to;
  std::string reason;
};

bool IsCommit(const std::string& text) {
  if (text == "base") return true;
  if (text.size() < 7 || text.size() > 40) return false;
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c)) && (c < 'a' || c > 'f')) return false;
  }
  return true;
}

std::string LastIds(const google::protobuf::RepeatedPtrField<std::string>& names) {
  return absl::StrJoin(names, ", ", [](std::string* out, const std::string& name) {
    absl::StrAppend(out, name.substr(name.rfind('/') + 1));
  });
}

void PrintRollback(const RollBackResponse& response, Output& output) {
  if (response.commit() == response.from()) {
    output.Line(absl::StrCat(response.branch(), " is in the state of ",
                             response.target().substr(0, 10), " already"));
    return;
  }
  output.Line(absl::StrCat(response.branch(), " is in the state of ",
                           response.target().substr(0, 10), " again, by commit ",
                           response.commit().substr(0, 10)));
  if (response.undone_tasks_size() > 0) {
    output.Line(absl::StrCat("taken back: ", LastIds(response.undone_tasks()),
                             "; their tasks stay merged, a changed plan does them anew"));
  }
  if (response.restored_tasks_size() > 0) {
    output.Line(absl::StrCat("in again: ", LastIds(response.restored_tasks())));
  }
  output.Line(absl::StrCat("undo it with --to ", response.from().substr(0, 10)));
}

absl::StatusOr<ExitCode> RollBackPlan(const RollbackOptions& options, Invocation& invocation) {
  RollBackRequest request;
  ASSIGN_OR_RETURN(*request.mutable_plan(), invocation.names().Plan(options.plan));
  request.set_reason(options.reason);
  if (IsCommit(options.to)) {
    request.set_commit(options.to);
  } else {
    const bool short_name = options.to.find('/') == std::string::npos;
    ASSIGN_OR_RETURN(
        *request.mutable_task(),
        invocation.names().Task(short_name ? absl::StrCat(request.plan(), "/tasks/", options.to)
                                           : options.to));
  }
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(
      const RollBackResponse response,
      connection.Call(connection.reviewer(), &ReviewerService::StubInterface::RollBack, request));
  if (invocation.output().json()) {
    invocation.output().Json(response);
  } else {
    PrintRollback(response, invocation.output());
  }
  return ExitCode::kOk;
}

}  // namespace

void AddRollbackCommand(CommandSet& commands) {
  const auto options = std::make_shared<RollbackOptions>();
  CLI::App& command = commands.Add(
      "rollback", "Take a plan's branch back to a state that it had",
      Connected([options](Invocation& invocation) { return RollBackPlan(*options, invocation); }));
  command.add_option("PLAN", options->plan, "The plan")->required();
  command
      .add_option("--to", options->to,
                  "A commit of the branch (7 digits or more), \"base\" for its beginning, or a "
                  "task: as it was when the task's change had landed")
      ->required();
  command.add_option("--reason", options->reason, "Why; goes into the commit");
}

}  // namespace slipway::cli
