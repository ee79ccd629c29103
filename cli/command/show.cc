#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/client/plan_view.h"
#include "cli/command/families.h"
#include "cli/command/requests.h"
#include "cli/output/amendment_text.h"
#include "cli/output/display_width.h"
#include "cli/output/plan_tree.h"
#include "cli/output/quantity_text.h"
#include "lib/base/error.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::Attempt;
using dispatcher::v1::Task;
using planner::v1::Plan;
using planner::v1::PlannerService;
using repository::v1::RepositoryService;
using reviewer::v1::ReviewerService;

// The log has the whole story.
constexpr int kWhyWidthMax = 160;

struct ShowOptions {
  std::string name;
  bool spec = false;
};

struct DiffOptions {
  std::string name;
  int from = 0;  // 0: of what was done, not of what was planned.
  int to = 0;
};

void Paragraph(const std::string& heading, const std::string& text, Output& output) {
  if (text.empty()) return;
  output.Line("");
  output.Line(output.Painted(Tone::kStrong, heading));
  output.Line(PlainText(text));
}

template <typename Lines>
void Bullets(const std::string& heading, const Lines& lines, Output& output) {
  if (lines.empty()) return;
  output.Line("");
  output.Line(output.Painted(Tone::kStrong, heading));
  for (const std::string& line : lines) output.Line(absl::StrCat("  - ", OneLine(line)));
}

void ShowRequirements(const Plan& plan, Output& output) {
  if (plan.requirements().empty()) return;
  output.Line("");
  TextTable table({{"REQUIREMENT"}, {"MET BY"}, {"TEXT"}});
  for (const planner::v1::Requirement& requirement : plan.requirements()) {
    const bool met = !requirement.tasks().empty();
    table.Add({requirement.id(),
               Cell(met ? absl::StrJoin(requirement.tasks(), ", ") : "nothing",
                    met ? Tone::kPlain : Tone::kWarning),
               requirement.text()});
  }
  output.Table(table);
}

void ShowPlanTasks(const PlanView& view, Output& output) {
  TextTable table(
      {{"TASK"}, {"ROLE"}, {"AFTER"}, {"PATHS"}, {"AT MOST", TextTable::Align::kRight}, {"TITLE"}});
  for (const planner::v1::PlanTask& task : view.plan.tasks()) {
    table.Add({task.id(), task.role(), absl::StrJoin(task.depends_on(), ", "),
               absl::StrJoin(task.allowed_paths(), ", "), MoneyText(task.estimate_usd_nanos()),
               task.title()});
  }
  output.Line("");
  output.Table(table);
}

void ShowAmendment(const Plan& plan, Output& output) {
  if (!plan.has_amendment()) return;
  output.Line("");
  output.Line(output.Painted(Tone::kWarning, absl::StrCat(AmendmentStanding(plan), "; version ",
                                                          plan.approved_version(), " runs on")));
  if (!plan.amendment().failure().empty()) {
    output.Line(output.Painted(Tone::kBad, OneLine(plan.amendment().failure())));
  }
  for (const std::string& line : AmendmentLines(plan.amendment())) {
    output.Line(absl::StrCat("  - ", line));
  }
}

void ShowPlan(const PlanView& view, bool spec, base::Clock& clock, Output& output) {
  const Plan& plan = view.plan;
  output.Line(output.Painted(Tone::kQuiet, plan.name()));
  for (const std::string& line : RenderPlanTree(
           view, {.now = clock.Now(), .colour = output.colour(), .width = output.width()})) {
    output.Line(line);
  }
  output.Line("");
  output.Line(absl::StrCat(
      "version ", plan.version(),
      plan.approved_version() > 0
          ? absl::StrCat(", version ", plan.approved_version(), " approved by ", plan.approver())
          : "",
      ", branch ", plan.branch().empty() ? "-" : plan.branch(), ", at most ",
      MoneyText(plan.estimate_usd_nanos()), " and about ",
      DurationText(rpc::FromProto(plan.estimate_duration()))));
  if (!plan.failure().empty()) {
    output.Line(output.Painted(Tone::kBad, OneLine(plan.failure())));
  }
  ShowAmendment(plan, output);
  if (view.run.has_value() && !view.run->result().empty()) {
    output.Line(output.Painted(Tone::kGood, OneLine(view.run->result())));
  }
  Paragraph("Summary", plan.summary(), output);
  ShowPlanTasks(view, output);
  ShowRequirements(plan, output);
  Bullets("Open questions", plan.open_questions(), output);
  Bullets("Risks", plan.risks(), output);
  Paragraph("Test strategy", plan.test_strategy(), output);
  if (spec) Paragraph("Spec", plan.spec(), output);
}

// "PATH_OVERLAP", as metrics and programs have it.
std::string WaitName(dispatcher::v1::Wait::Reason reason) {
  return std::string(absl::StripPrefix(dispatcher::v1::Wait::Reason_Name(reason), "REASON_"));
}

void ShowTask(const Task& task, const dispatcher::v1::ListAttemptsResponse& attempts,
              const reviewer::v1::GetReviewResponse* review, base::Clock& clock, Output& output) {
  const std::string state = Task::State_Name(task.state());
  const std::string standing =
      task.state() == Task::STATE_UNSPECIFIED ? "not started" : StateText(state);
  output.Line(output.Painted(Tone::kQuiet, task.name()));
  output.Line(absl::StrCat(output.Painted(ToneOfState(state), SymbolOfState(state)), " ",
                           output.Painted(Tone::kStrong, OneLine(task.title())), "  ",
                           output.Painted(ToneOfState(state), standing), "  ",
                           StateText(task.reason()), " ", OneLine(task.detail())));
  if (!task.merged_commit().empty()) {
    output.Line(absl::StrCat("merged as ", task.merged_commit()));
  }
  if (task.has_wait()) {
    output.Line(absl::StrCat(
        output.Painted(Tone::kWarning,
                       absl::StrCat("waits for an agent (", WaitName(task.wait().reason()), ")")),
        ": ", OneLine(task.wait().detail())));
  }
  Paragraph("Description", task.spec().description(), output);
  Bullets("Acceptance", task.spec().acceptance(), output);
  Bullets("May touch", task.spec().allowed_paths(), output);
  if (attempts.attempts().empty()) return;
  output.Line("");
  TextTable table({{"ATTEMPT"}, {"KIND"}, {"STATE"}, {"HOST"}, {"STARTED"}, {"TOOK"}, {"WHY"}});
  for (const Attempt& attempt : attempts.attempts()) {
    const std::string attempt_state = Attempt::State_Name(attempt.state());
    const absl::Time end =
        attempt.has_end_time() ? rpc::FromProto(attempt.end_time()) : clock.Now();
    table.Add(
        {absl::StrCat(LastId(task.name()), "@", LastId(attempt.name())),
         attempt.kind() == Attempt::KIND_VALIDATE ? "validate" : "work",
         Cell(StateText(attempt_state), ToneOfState(attempt_state)), LastId(attempt.host()),
         RelativeText(rpc::FromProto(attempt.start_time()), clock.Now()),
         DurationText(end - rpc::FromProto(attempt.start_time())),
         FitToWidth(OneLine(absl::StrCat(attempt.reason(), attempt.detail().empty() ? "" : ": ",
                                         attempt.detail())),
                    kWhyWidthMax)});
  }
  output.Table(table);
  if (review == nullptr) return;
  for (const auto& step : review->attempts()) {
    for (const auto& reason : step.inspection().refused().reasons()) {
      output.Line(absl::StrCat("  @", LastId(step.attempt()), " refused: ", reason.code(), " ",
                               OneLine(reason.path()), ": ", OneLine(reason.detail())));
    }
    for (const auto& evidence : step.evidence()) {
      output.Line(absl::StrCat("  @", LastId(step.attempt()), " ", evidence.validator(), ": ",
                               evidence.passed() ? "passed" : "failed"));
    }
    if (step.has_verdict() && !step.verdict().summary().empty()) {
      output.Line(absl::StrCat("  @", LastId(step.attempt()),
                               " verdict: ", OneLine(step.verdict().summary())));
    }
  }
}

Task TaskOf(const planner::v1::PlanTask& planned, const std::string& name) {
  Task task;
  task.set_name(name);
  task.set_title(planned.title());
  dispatcher::v1::TaskSpec& spec = *task.mutable_spec();
  spec.set_id(planned.id());
  spec.set_title(planned.title());
  spec.set_description(planned.description());
  *spec.mutable_depends_on() = planned.depends_on();
  spec.set_intent(planned.intent());
  spec.set_role(planned.role());
  *spec.mutable_allowed_paths() = planned.allowed_paths();
  *spec.mutable_context_paths() = planned.context_paths();
  *spec.mutable_acceptance() = planned.acceptance();
  spec.set_priority(planned.priority());
  spec.set_critical(planned.critical());
  spec.set_limit_usd_nanos(planned.limit_usd_nanos());
  *spec.mutable_attempt_timeout() = planned.attempt_timeout();
  *spec.mutable_estimate_duration() = planned.estimate_duration();
  return task;
}

// A task of a plan that was not started is known to the planner only; it has no state yet.
absl::StatusOr<Task> FindTask(const std::string& name, Connection& connection) {
  absl::StatusOr<Task> task = GetTask(connection, name);
  if (base::ReasonOf(task.status()) != "TASK_UNKNOWN") return task;
  const absl::StatusOr<Plan> plan = GetPlan(connection, name.substr(0, name.find("/tasks/")));
  if (!plan.ok()) return task;
  for (const planner::v1::PlanTask& planned : plan->tasks()) {
    if (planned.id() == LastId(name)) return TaskOf(planned, name);
  }
  return task;
}

absl::StatusOr<ExitCode> ShowOneTask(const std::string& name, Invocation& invocation) {
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(const Task task, FindTask(name, connection));
  dispatcher::v1::ListAttemptsResponse attempts;
  if (task.state() != Task::STATE_UNSPECIFIED) {
    ASSIGN_OR_RETURN(attempts, ListAttempts(connection, name));
  }
  if (output.json()) {
    output.Line(absl::StrCat("{\"task\":", JsonText(task), ",", JsonText(attempts).substr(1)));
    return ExitCode::kOk;
  }
  reviewer::v1::GetReviewRequest request;
  request.set_task(name);
  const absl::StatusOr<reviewer::v1::GetReviewResponse> review =
      connection.Call(connection.reviewer(), &ReviewerService::StubInterface::GetReview, request);
  ShowTask(task, attempts, review.ok() ? &*review : nullptr, invocation.clock(), output);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Show(const ShowOptions& options, Invocation& invocation) {
  ASSIGN_OR_RETURN(const std::string name, invocation.names().PlanOrTask(options.name));
  if (base::MatchName("projects/*/plans/*/tasks/*", name).ok()) {
    return ShowOneTask(name, invocation);
  }
  if (base::MatchName("projects/*/plans/*/tasks/*/attempts/*", name).ok()) {
    return ShowOneTask(name.substr(0, name.find("/attempts/")), invocation);
  }
  ASSIGN_OR_RETURN(const PlanView view, FetchPlanView(invocation.connection(), name));
  if (invocation.output().json()) {
    std::string run = "null";
    if (view.run.has_value()) run = JsonText(*view.run);
    std::vector<std::string> tasks;
    for (const Task& task : view.tasks) tasks.push_back(JsonText(task));
    invocation.output().Line(absl::StrCat("{\"plan\":", JsonText(view.plan), ",\"run\":", run,
                                          ",\"tasks\":[", absl::StrJoin(tasks, ","),
                                          "],\"cost_usd_nanos\":\"", view.TotalCost(), "\"}"));
    return ExitCode::kOk;
  }
  ShowPlan(view, options.spec, invocation.clock(), invocation.output());
  return ExitCode::kOk;
}

Tone ToneOfDiffLine(const std::string& line) {
  if (line.rfind("+++", 0) == 0 || line.rfind("---", 0) == 0) return Tone::kStrong;
  if (line.rfind("diff ", 0) == 0) return Tone::kStrong;
  if (line.rfind("@@", 0) == 0) return Tone::kActive;
  if (line.rfind('+', 0) == 0) return Tone::kGood;
  if (line.rfind('-', 0) == 0) return Tone::kBad;
  return Tone::kPlain;
}

// How two versions of a plan differ.
absl::StatusOr<ExitCode> DiffVersions(const DiffOptions& options, Invocation& invocation) {
  planner::v1::DiffPlanRequest request;
  ASSIGN_OR_RETURN(*request.mutable_name(), invocation.names().Plan(options.name));
  request.set_from_version(options.from);
  request.set_to_version(options.to);
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.planner(), &PlannerService::StubInterface::DiffPlan, request));
  if (invocation.output().json()) {
    invocation.output().Json(response);
    return ExitCode::kOk;
  }
  for (const std::string& change : response.changes()) invocation.output().Line(OneLine(change));
  if (response.changes().empty()) invocation.output().Progress("nothing differs");
  return ExitCode::kOk;
}

// Nothing was handed in for it; or there is no such thing at all, which only its owner knows.
absl::Status ExplainNoChange(const std::string& name, const absl::Status& no_change,
                             Connection& connection) {
  const absl::StatusOr<Plan> plan = GetPlan(connection, name.substr(0, name.find("/tasks/")));
  if (!plan.ok()) return plan.status();
  if (name.find("/tasks/") == std::string::npos) return no_change;
  const absl::StatusOr<Task> task = FindTask(name.substr(0, name.find("/attempts/")), connection);
  return task.ok() ? no_change : task.status();
}

absl::StatusOr<ExitCode> Diff(const DiffOptions& options, Invocation& invocation) {
  if (options.from > 0) return DiffVersions(options, invocation);
  repository::v1::GetDiffRequest request;
  ASSIGN_OR_RETURN(*request.mutable_name(), invocation.names().PlanOrTask(options.name));
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  const absl::StatusOr<repository::v1::GetDiffResponse> found =
      connection.Call(connection.repository(), &RepositoryService::StubInterface::GetDiff, request);
  if (base::ReasonOf(found.status()) == "CHANGE_UNKNOWN") {
    return ExplainNoChange(request.name(), found.status(), connection);
  }
  ASSIGN_OR_RETURN(const repository::v1::GetDiffResponse response, found);
  if (output.json()) {
    output.Json(response);
    return ExitCode::kOk;
  }
  if (!output.colour()) {
    output.Print(PlainText(response.text()));
  } else {
    for (const std::string& line :
         std::vector<std::string>(absl::StrSplit(PlainText(response.text()), '\n'))) {
      output.Line(output.Painted(ToneOfDiffLine(line), line));
    }
  }
  if (response.truncated()) output.Progress("the diff is longer; clone the branch to see all");
  return ExitCode::kOk;
}

}  // namespace

void AddShowCommands(CommandSet& commands) {
  const auto show = std::make_shared<ShowOptions>();
  CLI::App& show_command =
      commands.Add("show", "Show a plan or a task",
                   Connected([show](Invocation& invocation) { return Show(*show, invocation); }));
  show_command.add_option("NAME", show->name, "A plan or a task")->required();
  show_command.add_flag("--spec", show->spec, "Also the spec of the plan");

  const auto diff = std::make_shared<DiffOptions>();
  CLI::App& diff_command =
      commands.Add("diff", "Show what a plan, a task or an attempt changed",
                   Connected([diff](Invocation& invocation) { return Diff(*diff, invocation); }));
  diff_command.add_option("NAME", diff->name, "A plan, a task or an attempt")->required();
  CLI::Option* const from =
      diff_command.add_option("--from", diff->from, "Compare versions of a plan: the older one")
          ->check(CLI::PositiveNumber);
  diff_command.add_option("--to", diff->to, "The later version; the newest unless it is given")
      ->check(CLI::PositiveNumber)
      ->needs(from);
}

}  // namespace slipway::cli
