#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/client/plan_follower.h"
#include "cli/command/families.h"
#include "cli/command/requests.h"
#include "cli/output/amendment_text.h"
#include "cli/output/display_width.h"
#include "cli/output/event_line.h"
#include "cli/output/hint.h"
#include "cli/output/plan_tree.h"
#include "cli/output/quantity_text.h"
#include "lib/base/error.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::DispatcherService;
using planner::v1::Plan;
using planner::v1::PlannerService;

struct PlanOptions {
  std::string spec;
  std::string title;
  std::string rigor;
  bool wait = false;
};

struct EditOptions {
  std::string plan;
  std::string task;
  std::string title, description, role, paths, depends, acceptance, budget;
  std::string intent = "code";
  int priority = -1;
  bool remove = false;
  bool add = false;
  CLI::App* command = nullptr;  // Says which options were given: an empty list is a change, too.
};

struct NamedOptions {
  std::string plan;
  std::string reason;
};

void PrintPlan(const Plan& plan, Output& output) {
  if (output.json()) return output.Json(plan);
  const bool runs = plan.state() == Plan::STATE_RUNNING;
  output.Line(
      absl::StrCat(plan.name(), "  ",
                   output.Painted(ToneOfState(Plan::State_Name(plan.state())),
                                  StateText(Plan::State_Name(plan.state()))),
                   runs ? absl::StrCat(" version ", plan.approved_version()) : "",
                   plan.has_amendment() ? absl::StrCat(", ", AmendmentStanding(plan)) : ""));
}

// What is to be approved besides what runs already.
void PrintAmendment(const Plan& plan, Output& output) {
  output.Line(output.Painted(Tone::kWarning, absl::StrCat(AmendmentStanding(plan), "; version ",
                                                          plan.approved_version(), " runs on:")));
  for (const std::string& line : AmendmentLines(plan.amendment())) {
    output.Line(absl::StrCat("  ", line));
  }
  const std::string id = LastId(plan.name());
  output.Progress(absl::StrCat("Next: slipway approve ", id, ", or slipway reject ", id));
}

absl::StatusOr<PlanView> WaitForDraft(const std::string& plan, Invocation& invocation) {
  Output& output = invocation.output();
  FollowOptions options{.plan = plan, .until = [](const PlanView& view) {
                          return StandingOf(view) != Standing::kDrafting;
                        }};
  options.on_event = [&output](const events::v1::Event& event) {
    const std::string line =
        EventLine(event, {.zone = absl::LocalTimeZone(), .colour = output.colour()});
    if (!line.empty()) output.Progress(line);
  };
  return FollowPlan(invocation.connection(), invocation.clock(), options);
}

// The planner says why with the reason code first: "ROUTE_MISSING: no route ...".
void ExplainFailure(const Plan& plan, Output& output) {
  const std::string reason = plan.failure().substr(0, plan.failure().find(':'));
  output.Hint(HintFor(base::Error(absl::StatusCode::kFailedPrecondition, reason, "")));
}

ExitCode ReportDraft(const PlanView& view, Output& output) {
  const Plan& plan = view.plan;
  PrintPlan(plan, output);
  if (StandingOf(view) == Standing::kProposed) {
    const std::string id = LastId(plan.name());
    output.Progress(absl::StrCat(plan.tasks_size(), " tasks, at most ",
                                 MoneyText(plan.estimate_usd_nanos()),
                                 ". Look at it: slipway show ", id, "; then slipway approve ", id));
    return ExitCode::kOk;
  }
  const bool failed = plan.state() == Plan::STATE_FAILED;
  output.Progress(absl::StrCat(output.Painted(Tone::kBad, failed ? "error:" : "waiting:"), " ",
                               failed ? "no plan could be drafted: " : "",
                               OneLine(plan.failure())));
  ExplainFailure(plan, output);
  return failed ? ExitCode::kFailed : ExitCode::kWaitsForPerson;
}

// A message with other bytes would be lost on its way, before the planner could say why.
absl::Status CheckText(const std::string& spec) {
  if (base::ToUtf8(spec, spec.size()) == spec) return absl::OkStatus();
  return base::Error(absl::StatusCode::kInvalidArgument, "SPEC_NOT_TEXT",
                     "the spec is not UTF-8 text");
}

absl::StatusOr<ExitCode> CreatePlan(const PlanOptions& options, Invocation& invocation) {
  planner::v1::CreatePlanRequest request;
  ASSIGN_OR_RETURN(*request.mutable_spec(), ReadInput(options.spec, invocation.input()));
  RETURN_IF_ERROR(CheckText(request.spec()));
  ASSIGN_OR_RETURN(*request.mutable_parent(), invocation.names().Project());
  request.set_title(options.title);
  request.set_request_id(base::RandomIds().NewId("cli"));
  if (options.rigor == "quick") request.set_rigor(planner::v1::RIGOR_QUICK);
  if (options.rigor == "standard") request.set_rigor(planner::v1::RIGOR_STANDARD);
  if (options.rigor == "thorough") request.set_rigor(planner::v1::RIGOR_THOROUGH);
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.planner(), &PlannerService::StubInterface::CreatePlan, request));
  if (!options.wait) {
    PrintPlan(response.plan(), invocation.output());
    return ExitCode::kOk;
  }
  ASSIGN_OR_RETURN(const PlanView view, WaitForDraft(response.plan().name(), invocation));
  return ReportDraft(view, invocation.output());
}

void FillList(const std::string& text, planner::v1::StringList& list) {
  for (std::string& value : SplitList(text)) list.add_values(std::move(value));
}

absl::StatusOr<planner::v1::TaskEdit> EditOf(const EditOptions& options) {
  const CLI::App& command = *options.command;
  planner::v1::TaskEdit edit;
  edit.set_task(options.task);
  if (command.count("--priority") > 0) edit.set_priority(options.priority);
  if (command.count("--role") > 0) edit.set_role(options.role);
  if (command.count("--title") > 0) edit.set_title(options.title);
  if (command.count("--description") > 0) edit.set_description(options.description);
  if (command.count("--paths") > 0) FillList(options.paths, *edit.mutable_allowed_paths());
  if (command.count("--depends") > 0) FillList(options.depends, *edit.mutable_depends_on());
  if (command.count("--acceptance") > 0) {
    FillList(options.acceptance, *edit.mutable_acceptance());
  }
  if (command.count("--budget") > 0) {
    ASSIGN_OR_RETURN(const int64_t limit, ParseMoney(options.budget));
    edit.set_limit_usd_nanos(limit);
  }
  edit.set_remove(options.remove);
  planner::v1::TaskEdit nothing;
  nothing.set_task(options.task);
  if (edit.SerializeAsString() == nothing.SerializeAsString()) {
    return base::Error(absl::StatusCode::kInvalidArgument, "NOTHING_TO_CHANGE",
                       "the command changes nothing");
  }
  return edit;
}

absl::StatusOr<planner::v1::PlanTask> AddedOf(const EditOptions& options) {
  if (options.remove) {
    return base::Error(absl::StatusCode::kInvalidArgument, "USAGE",
                       "a task cannot be added and removed at once");
  }
  planner::v1::PlanTask task;
  task.set_id(options.task);
  task.set_title(options.title);
  task.set_description(options.description);
  task.set_intent(options.intent);
  task.set_role(options.role);
  if (options.priority > 0) task.set_priority(options.priority);
  for (std::string& path : SplitList(options.paths)) task.add_allowed_paths(std::move(path));
  for (std::string& before : SplitList(options.depends)) task.add_depends_on(std::move(before));
  for (std::string& line : SplitList(options.acceptance)) task.add_acceptance(std::move(line));
  if (!options.budget.empty()) {
    ASSIGN_OR_RETURN(const int64_t limit, ParseMoney(options.budget));
    task.set_limit_usd_nanos(limit);
  }
  return task;
}

absl::StatusOr<ExitCode> EditPlan(const EditOptions& options, Invocation& invocation) {
  planner::v1::EditPlanRequest request;
  if (options.add) {
    ASSIGN_OR_RETURN(*request.add_added_tasks(), AddedOf(options));
  } else {
    ASSIGN_OR_RETURN(*request.add_edits(), EditOf(options));
  }
  ASSIGN_OR_RETURN(*request.mutable_name(), invocation.names().Plan(options.plan));
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const Plan before, GetPlan(connection, request.name()));
  request.set_version(before.version());
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.planner(), &PlannerService::StubInterface::EditPlan, request));
  if (invocation.output().json()) {
    invocation.output().Json(response.plan());
    return ExitCode::kOk;
  }
  if (response.plan().has_amendment()) {
    PrintAmendment(response.plan(), invocation.output());
    return ExitCode::kOk;
  }
  planner::v1::DiffPlanRequest diff;
  diff.set_name(request.name());
  diff.set_from_version(before.version());
  ASSIGN_OR_RETURN(
      const auto changes,
      connection.Call(connection.planner(), &PlannerService::StubInterface::DiffPlan, diff));
  invocation.output().Line(
      absl::StrCat("version ", before.version(), " -> ", response.plan().version()));
  for (const std::string& change : changes.changes()) {
    invocation.output().Line(absl::StrCat("  ", OneLine(change)));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ApprovePlan(const NamedOptions& options, Invocation& invocation) {
  planner::v1::ApprovePlanRequest request;
  ASSIGN_OR_RETURN(*request.mutable_name(), invocation.names().Plan(options.plan));
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const Plan plan, GetPlan(connection, request.name()));
  request.set_version(plan.version());
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.planner(), &PlannerService::StubInterface::ApprovePlan, request));
  PrintPlan(response.plan(), invocation.output());
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RejectPlan(const NamedOptions& options, Invocation& invocation) {
  planner::v1::RejectPlanRequest request;
  ASSIGN_OR_RETURN(*request.mutable_name(), invocation.names().Plan(options.plan));
  request.set_reason(options.reason);
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.planner(), &PlannerService::StubInterface::RejectPlan, request));
  PrintPlan(response.plan(), invocation.output());
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> CancelRun(const NamedOptions& options, Invocation& invocation) {
  dispatcher::v1::CancelRunRequest request;
  ASSIGN_OR_RETURN(*request.mutable_plan(), invocation.names().Plan(options.plan));
  request.set_reason(options.reason);
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const auto response,
                   connection.Call(connection.dispatcher(),
                                   &DispatcherService::StubInterface::CancelRun, request));
  if (invocation.output().json()) {
    invocation.output().Json(response.run());
  } else {
    invocation.output().Line(
        absl::StrCat(response.run().plan(), "  ",
                     StateText(dispatcher::v1::Run::State_Name(response.run().state()))));
  }
  return ExitCode::kOk;
}

void AddPlan(CommandSet& commands) {
  const auto options = std::make_shared<PlanOptions>();
  CLI::App& command = commands.Add(
      "plan", "Turn a spec into a plan",
      Connected([options](Invocation& invocation) { return CreatePlan(*options, invocation); }));
  command.add_option("SPEC", options->spec, "File with the spec; - for standard input")->required();
  command.add_option("--title", options->title, "What to call the plan");
  command.add_option("--rigor", options->rigor, "How much structure")
      ->check(CLI::IsMember({"quick", "standard", "thorough"}));
  command.add_flag("--wait,-w", options->wait, "Return when the plan is drafted");
}

void AddEdit(CommandSet& commands) {
  const auto options = std::make_shared<EditOptions>();
  CLI::App& command = commands.Add(
      "edit", "Change, add or remove a task of a plan, also while it runs",
      Connected([options](Invocation& invocation) { return EditPlan(*options, invocation); }));
  options->command = &command;
  command.add_option("PLAN", options->plan, "The plan")->required();
  command.add_option("--task,-t", options->task, "Id of the task")->required();
  command.add_option("--priority", options->priority, "0 to 9; higher runs first")
      ->check(CLI::Range(0, 9));
  command.add_option("--title", options->title, "What to call it");
  command.add_option("--description", options->description, "What to do");
  command.add_option("--role", options->role, "Role whose model writes it");
  command.add_option("--paths", options->paths, "Patterns of paths it may touch: a/**,b.py");
  command.add_option("--depends", options->depends, "Ids of tasks that come first: a,b");
  command.add_option("--acceptance", options->acceptance, "How to see that it is done: a,b");
  command.add_option("--budget", options->budget, "Most dollars for all its attempts");
  command.add_flag("--remove", options->remove, "Remove the task");
  command.add_flag("--add", options->add, "Add a task of this id");
  command.add_option("--intent", options->intent, "What kind of work an added task is")
      ->check(CLI::IsMember({"code", "test", "docs", "refactor", "config"}));
}

using NamedAction = absl::StatusOr<ExitCode> (*)(const NamedOptions&, Invocation&);

void AddNamed(CommandSet& commands, const std::string& name, const std::string& description,
              NamedAction action, bool with_reason) {
  const auto options = std::make_shared<NamedOptions>();
  CLI::App& command =
      commands.Add(name, description, Connected([options, action](Invocation& invocation) {
                     return action(*options, invocation);
                   }));
  command.add_option("PLAN", options->plan, "The plan")->required();
  if (with_reason) command.add_option("--reason", options->reason, "Why; shown to people");
}

}  // namespace

void AddPlanCommands(CommandSet& commands) {
  AddPlan(commands);
  AddEdit(commands);
  AddNamed(commands, "approve", "Approve a plan, or what changes one that runs", ApprovePlan,
           false);
  AddNamed(commands, "reject", "Refuse a plan, or what would change one that runs", RejectPlan,
           true);
  AddNamed(commands, "cancel", "Stop a plan that runs, for good", CancelRun, true);
}

}  // namespace slipway::cli
