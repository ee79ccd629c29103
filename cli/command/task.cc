#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/client/plan_view.h"
#include "cli/command/families.h"
#include "cli/command/requests.h"
#include "cli/output/display_width.h"
#include "cli/output/plan_tree.h"
#include "cli/output/quantity_text.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::Checkpoint;
using dispatcher::v1::DispatcherService;
using dispatcher::v1::Task;

struct LogsOptions {
  std::string name;
  bool follow = false;
};

struct SalvageOptions {
  std::string name;
  bool patch = false;
};

struct RetryOptions {
  std::string task;
  std::string guidance;
};

struct CheckpointsOptions {
  std::string plan;
  bool all = false;
};

struct ResolveOptions {
  std::string checkpoint;
  std::string decision;
  std::string guidance;
};

// Bytes that end inside a character wait for its rest.
size_t WholeCharacters(const std::string& text) {
  size_t end = text.size();
  for (size_t back = 0; back < 3 && end > 0; ++back) {
    const auto byte = static_cast<unsigned char>(text[end - 1]);
    if (byte < 0x80) return text.size();
    --end;
    if (byte >= 0xC0)
      return end + (byte >= 0xF0 ? 4u : byte >= 0xE0 ? 3u : 2u) <= text.size() ? text.size() : end;
  }
  return text.size();
}

absl::StatusOr<ExitCode> Logs(const LogsOptions& options, Invocation& invocation) {
  dispatcher::v1::ReadLogRequest request;
  ASSIGN_OR_RETURN(*request.mutable_attempt(), invocation.names().Attempt(options.name));
  request.set_follow(options.follow);
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  grpc::ClientContext context;
  connection.Prepare(context, options.follow ? absl::InfiniteDuration() : absl::Minutes(2));
  const auto reader = connection.dispatcher().ReadLog(&context, request);
  std::string pending;
  RETURN_IF_ERROR(connection.Read<dispatcher::v1::ReadLogResponse>(
      context, *reader, [&](dispatcher::v1::ReadLogResponse& piece) {
        if (output.json()) {
          output.Json(piece);
          return true;
        }
        pending += piece.data();
        const size_t whole = WholeCharacters(pending);
        output.Print(PlainText(absl::string_view(pending).substr(0, whole)));
        pending.erase(0, whole);
        return true;
      }));
  if (!output.json()) output.Print(PlainText(pending));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Salvage(const SalvageOptions& options, Invocation& invocation) {
  dispatcher::v1::GetHandoffRequest request;
  ASSIGN_OR_RETURN(*request.mutable_attempt(), invocation.names().Attempt(options.name));
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const auto handoff,
                   connection.Call(connection.dispatcher(),
                                   &DispatcherService::StubInterface::GetHandoff, request));
  Output& output = invocation.output();
  if (options.patch && (!handoff.has_change() || handoff.patch().empty())) {
    return base::Error(absl::StatusCode::kNotFound, "PATCH_MISSING",
                       handoff.has_change()
                           ? absl::StrCat("the patch of ", request.attempt(), " has ",
                                          handoff.patch_bytes(), " bytes, too many to return")
                           : absl::StrCat(request.attempt(), " left no patch"),
                       {{"attempt", request.attempt()}});
  }
  if (output.json()) {
    output.Json(handoff);
    return ExitCode::kOk;
  }
  if (options.patch) {  // For git apply: byte for byte.
    output.Print(handoff.patch());
    return ExitCode::kOk;
  }
  const dispatcher::v1::Attempt& attempt = handoff.attempt();
  const std::string state = dispatcher::v1::Attempt::State_Name(attempt.state());
  output.Line(
      absl::StrCat(attempt.name(), "  ", output.Painted(ToneOfState(state), StateText(state))));
  if (!attempt.reason().empty() || !attempt.detail().empty()) {
    output.Line(absl::StrCat("  why: ", OneLine(attempt.reason()),
                             attempt.detail().empty() ? "" : ": ", OneLine(attempt.detail())));
  }
  for (const std::string& feedback : attempt.feedback()) {
    output.Line(absl::StrCat("  was told: ", OneLine(feedback)));
  }
  if (!handoff.has_change()) {
    output.Line("  left no change; slipway logs tells how far it came");
    return ExitCode::kOk;
  }
  output.Line(absl::StrCat("  change: ", handoff.patch_bytes(), " bytes against ",
                           handoff.commit().substr(0, 12),
                           handoff.salvaged() ? ", came too late and was not reviewed" : ""));
  if (!handoff.summary().empty()) {
    output.Line(absl::StrCat("  summary: ", OneLine(handoff.summary())));
  }
  output.Line("  slipway salvage --patch prints it for git apply");
  return ExitCode::kOk;
}

void PrintTask(const Task& task, Output& output) {
  if (output.json()) return output.Json(task);
  const std::string state = Task::State_Name(task.state());
  output.Line(
      absl::StrCat(task.name(), "  ", output.Painted(ToneOfState(state), StateText(state))));
}

absl::StatusOr<ExitCode> Retry(const RetryOptions& options, Invocation& invocation) {
  dispatcher::v1::RetryTaskRequest request;
  ASSIGN_OR_RETURN(*request.mutable_name(), invocation.names().Task(options.task));
  request.set_guidance(options.guidance);
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const auto response,
                   connection.Call(connection.dispatcher(),
                                   &DispatcherService::StubInterface::RetryTask, request));
  PrintTask(response.task(), invocation.output());
  return ExitCode::kOk;
}

std::string DecisionText(int decision) {
  std::string text = Checkpoint::Decision_Name(static_cast<Checkpoint::Decision>(decision));
  return absl::AsciiStrToLower(text.substr(text.find('_') + 1));
}

void PrintDiagnosis(const dispatcher::v1::Diagnosis& diagnosis, Output& output) {
  if (diagnosis.cause().empty()) {
    return output.Line(absl::StrCat("  no diagnosis: ", OneLine(diagnosis.problem())));
  }
  output.Line(absl::StrCat("  ", diagnosis.role(), ": ", OneLine(diagnosis.cause())));
  for (const std::string& finding : diagnosis.findings()) {
    output.Line(absl::StrCat("    - ", OneLine(finding)));
  }
  output.Line(
      absl::StrCat("  would ", DecisionText(diagnosis.advice()),
                   diagnosis.guidance().empty() ? "" : " with: ", OneLine(diagnosis.guidance())));
}

absl::StatusOr<ExitCode> Checkpoints(const CheckpointsOptions& options, Invocation& invocation) {
  std::string plan;
  if (!options.plan.empty()) {
    ASSIGN_OR_RETURN(plan, invocation.names().Plan(options.plan));
  }
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(const auto list, ListCheckpoints(invocation.connection(), plan, options.all));
  if (output.json()) {
    output.Json(list);
    return ExitCode::kOk;
  }
  if (list.checkpoints().empty()) output.Line("nobody has to decide anything");
  for (const Checkpoint& checkpoint : list.checkpoints()) {
    std::vector<std::string> choices;
    for (const int option : checkpoint.options()) choices.push_back(DecisionText(option));
    output.Line(absl::StrCat(
        output.Painted(Tone::kStrong, ShortName(checkpoint.name())), "  [", checkpoint.reason(),
        "]  ", RelativeText(rpc::FromProto(checkpoint.open_time()), invocation.clock().Now())));
    output.Line(absl::StrCat("  ", OneLine(checkpoint.question())));
    for (const std::string& line : checkpoint.evidence()) {
      output.Line(absl::StrCat("  - ", OneLine(line)));
    }
    if (checkpoint.has_diagnosis()) PrintDiagnosis(checkpoint.diagnosis(), output);
    if (checkpoint.decision() != Checkpoint::DECISION_UNSPECIFIED) {
      output.Line(absl::StrCat("  decided: ", DecisionText(checkpoint.decision()), " by ",
                               checkpoint.actor()));
    } else {
      output.Line(absl::StrCat("  slipway resolve ", LastId(checkpoint.name()), " --decision ",
                               absl::StrJoin(choices, "|")));
    }
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Resolve(const ResolveOptions& options, Invocation& invocation) {
  dispatcher::v1::ResolveCheckpointRequest request;
  Checkpoint::Decision decision;
  if (!Checkpoint::Decision_Parse(
          absl::StrCat("DECISION_", absl::AsciiStrToUpper(options.decision)), &decision)) {
    return base::Error(absl::StatusCode::kInvalidArgument, "DECISION_INVALID",
                       absl::StrCat("'", options.decision, "' is no decision"),
                       {{"decision", options.decision}});
  }
  ASSIGN_OR_RETURN(*request.mutable_name(), invocation.names().Checkpoint(options.checkpoint));
  request.set_decision(decision);
  request.set_guidance(options.guidance);
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const auto response,
                   connection.Call(connection.dispatcher(),
                                   &DispatcherService::StubInterface::ResolveCheckpoint, request));
  if (invocation.output().json()) {
    invocation.output().Json(response);
  } else {
    PrintTask(response.task(), invocation.output());
  }
  return ExitCode::kOk;
}

void AddLogsAndRetry(CommandSet& commands) {
  const auto logs = std::make_shared<LogsOptions>();
  CLI::App& logs_command =
      commands.Add("logs", "Print the log of an attempt",
                   Connected([logs](Invocation& invocation) { return Logs(*logs, invocation); }));
  logs_command.add_option("NAME", logs->name, "TASK@NUMBER, or a task: its newest attempt")
      ->required();
  logs_command.add_flag("--follow,-f", logs->follow, "Go on until the attempt ends");

  const auto salvage = std::make_shared<SalvageOptions>();
  CLI::App& salvage_command = commands.Add(
      "salvage", "Show what an attempt left when it ended",
      Connected([salvage](Invocation& invocation) { return Salvage(*salvage, invocation); }));
  salvage_command.add_option("NAME", salvage->name, "TASK@NUMBER, or a task: its newest attempt")
      ->required();
  salvage_command.add_flag("--patch", salvage->patch, "Print its change alone, for git apply");

  const auto retry = std::make_shared<RetryOptions>();
  CLI::App& retry_command = commands.Add(
      "retry", "Let a task be tried again",
      Connected([retry](Invocation& invocation) { return Retry(*retry, invocation); }));
  retry_command.add_option("TASK", retry->task, "The task")->required();
  retry_command.add_option("--guidance", retry->guidance, "What to tell the agent");
}

}  // namespace

void AddTaskCommands(CommandSet& commands) {
  AddLogsAndRetry(commands);

  const auto checkpoints = std::make_shared<CheckpointsOptions>();
  CLI::App& checkpoints_command = commands.Add("checkpoints", "List what a person must decide",
                                               Connected([checkpoints](Invocation& invocation) {
                                                 return Checkpoints(*checkpoints, invocation);
                                               }));
  checkpoints_command.add_option("PLAN", checkpoints->plan, "Only of this plan");
  checkpoints_command.add_flag("--all", checkpoints->all, "Also those that are decided");

  const auto resolve = std::make_shared<ResolveOptions>();
  CLI::App& resolve_command = commands.Add(
      "resolve", "Decide a question",
      Connected([resolve](Invocation& invocation) { return Resolve(*resolve, invocation); }));
  resolve_command.add_option("CHECKPOINT", resolve->checkpoint, "Its id, or the task that waits")
      ->required();
  resolve_command.add_option("--decision", resolve->decision, "retry, skip, fail, edit or accept")
      ->required()
      ->check(CLI::IsMember({"retry", "skip", "fail", "edit", "accept"}));
  resolve_command.add_option("--guidance", resolve->guidance,
                             "What to tell the agent; with edit the new description");
}

}  // namespace slipway::cli
