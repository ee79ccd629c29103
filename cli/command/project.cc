#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/client/pages.h"
#include "cli/client/plan_view.h"
#include "cli/command/families.h"
#include "cli/command/init_answers.h"
#include "cli/command/requests.h"
#include "cli/command/validator_detection.h"
#include "cli/output/quantity_text.h"
#include "lib/base/error.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

using ledger::v1::LedgerService;
using planner::v1::PlannerService;
using planner::v1::Project;

struct InitOptions {
  InitAnswers answers;
  bool yes = false;
};

struct UpdateOptions {
  std::string id;
  std::optional<std::string> title, repository, branch, plan_tier, integration, critic, diagnosis;
  std::vector<std::string> validators;
  std::optional<int> parallel, retries;
  bool no_validators = false;
  std::optional<bool> agent_checks;
};

absl::Status SetMonthLimit(const std::string& scope, int64_t limit, Connection& connection) {
  ledger::v1::SetBudgetRequest request;
  ledger::v1::Budget& budget = *request.mutable_budget();
  budget.set_scope(scope);
  budget.set_metric(ledger::v1::METRIC_USD_NANOS);
  budget.set_window(ledger::v1::WINDOW_MONTH);
  budget.set_limit(limit);
  request.set_request_id(base::RandomIds().NewId("cli"));
  return connection.Call(connection.ledger(), &LedgerService::StubInterface::SetBudget, request)
      .status();
}

void PrintProject(const Project& project, Output& output) {
  if (output.json()) return output.Json(project);
  output.Line(output.Painted(Tone::kStrong, project.name()));
  const common::v1::ProjectPolicy& policy = project.policy();
  TextTable table({{""}, {""}});
  table.Add({"title", project.title()});
  table.Add({"repository", project.repository()});
  table.Add({"branch", project.target_branch()});
  table.Add({"plan tier", project.plan_tier()});
  for (const common::v1::Validator& validator : policy.validators()) {
    table.Add({"validator", ValidatorText(validator)});
  }
  table.Add(
      {"critic", policy.review().critic_role().empty() ? "none" : policy.review().critic_role()});
  const std::string& diagnosis = policy.review().diagnosis_role();
  table.Add({"diagnosis", diagnosis.empty() ? "frontier_reviewer" : diagnosis});
  const std::string mode = common::v1::IntegrationPolicy::Mode_Name(policy.integration().mode());
  table.Add({"integration", StateText(mode.substr(mode.find('_') + 1))});
  table.Add({"state", StateText(Project::State_Name(project.state()))});
  const std::string text = table.Render(output.colour(), output.width());
  output.Print(text.substr(text.find('\n') + 1));
}

absl::StatusOr<ExitCode> Init(const InitOptions& options, Invocation& invocation) {
  const bool ask = !options.yes && isatty(STDIN_FILENO) == 1;
  ASSIGN_OR_RETURN(const InitResult answers, AnswerInit(options.answers, ask, invocation));
  planner::v1::CreateProjectRequest request;
  *request.mutable_project() = answers.project;
  request.set_request_id(base::RandomIds().NewId("cli"));
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const auto response,
                   connection.Call(connection.planner(),
                                   &PlannerService::StubInterface::CreateProject, request));
  if (answers.month_limit_usd_nanos.has_value()) {
    RETURN_IF_ERROR(
        SetMonthLimit(response.project().name(), *answers.month_limit_usd_nanos, connection));
  }
  PrintProject(response.project(), invocation.output());
  if (!invocation.output().json()) {
    invocation.output().Progress(absl::StrCat("Next: slipway plan SPEC.md --project ",
                                              LastId(response.project().name()), " --wait"));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ListProjects(Invocation& invocation) {
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(const auto list, AllPages(connection, connection.planner(),
                                             &PlannerService::StubInterface::ListProjects, {},
                                             [](auto& page) { return page.mutable_projects(); }));
  if (output.json()) {
    output.Json(list);
    return ExitCode::kOk;
  }
  if (list.projects().empty()) {
    output.Line("no projects yet; make one: slipway init");
    return ExitCode::kOk;
  }
  TextTable table({{"PROJECT"}, {"BRANCH"}, {"TIER"}, {"REPOSITORY"}, {"TITLE"}});
  for (const Project& project : list.projects()) {
    table.Add({LastId(project.name()), project.target_branch(), project.plan_tier(),
               project.repository(), project.title()});
  }
  output.Table(table);
  return ExitCode::kOk;
}

std::string ProjectName(const std::string& id) {
  return id.rfind("projects/", 0) == 0 ? id : absl::StrCat("projects/", id);
}

absl::StatusOr<ExitCode> ShowProject(const std::string& id, Invocation& invocation) {
  std::string name = ProjectName(id);
  if (id.empty()) {
    ASSIGN_OR_RETURN(name, invocation.names().Project());
  }
  ASSIGN_OR_RETURN(const Project project, GetProject(invocation.connection(), name));
  PrintProject(project, invocation.output());
  return ExitCode::kOk;
}

// The fields that were given, onto the project as it is; false when there were none.
absl::StatusOr<bool> ApplyUpdate(const UpdateOptions& options, Project& project) {
  using common::v1::IntegrationPolicy;
  const std::string before = project.SerializeAsString();
  common::v1::ProjectPolicy& policy = *project.mutable_policy();
  if (options.title.has_value()) project.set_title(*options.title);
  if (options.repository.has_value()) project.set_repository(*options.repository);
  if (options.branch.has_value()) project.set_target_branch(*options.branch);
  if (options.plan_tier.has_value()) project.set_plan_tier(*options.plan_tier);
  if (options.critic.has_value()) {
    policy.mutable_review()->set_critic_role(*options.critic == "none" ? "" : *options.critic);
  }
  if (options.diagnosis.has_value()) {
    policy.mutable_review()->set_diagnosis_role(*options.diagnosis);
  }
  if (options.integration.has_value()) {
    policy.mutable_integration()->set_mode(
        *options.integration == "branch"  ? IntegrationPolicy::MODE_BRANCH
        : *options.integration == "merge" ? IntegrationPolicy::MODE_MERGE
                                          : IntegrationPolicy::MODE_NONE);
  }
  if (options.parallel.has_value()) policy.set_parallel_max(*options.parallel);
  if (options.retries.has_value()) policy.mutable_attempts()->set_retries_max(*options.retries);
  if (options.agent_checks.has_value()) {
    policy.mutable_attempts()->set_skip_agent_checks(!*options.agent_checks);
  }
  if (options.no_validators || !options.validators.empty()) policy.clear_validators();
  for (const std::string& text : options.validators) {
    ASSIGN_OR_RETURN(*policy.add_validators(), ParseValidator(text));
  }
  return project.SerializeAsString() != before;
}

absl::StatusOr<ExitCode> UpdateProject(const UpdateOptions& options, Invocation& invocation) {
  Connection& connection = invocation.connection();
  planner::v1::UpdateProjectRequest request;
  ASSIGN_OR_RETURN(*request.mutable_project(), GetProject(connection, ProjectName(options.id)));
  ASSIGN_OR_RETURN(const bool changed, ApplyUpdate(options, *request.mutable_project()));
  if (!changed) {
    return base::Error(absl::StatusCode::kInvalidArgument, "NOTHING_TO_CHANGE",
                       "the command changes nothing");
  }
  ASSIGN_OR_RETURN(const auto response,
                   connection.Call(connection.planner(),
                                   &PlannerService::StubInterface::UpdateProject, request));
  PrintProject(response.project(), invocation.output());
  return ExitCode::kOk;
}

void AddInit(CommandSet& commands) {
  const auto options = std::make_shared<InitOptions>();
  CLI::App& command = commands.Add(
      "init", "Make a project of a repository: eight questions, each also an option",
      Connected([options](Invocation& invocation) { return Init(*options, invocation); }));
  InitAnswers& answers = options->answers;
  command.add_option("--id", answers.id, "Id of the project");
  command.add_option("--title", answers.title, "What people call it");
  command.add_option("--repository", answers.repository, "Path or URL of the repository");
  command.add_option("--branch", answers.branch, "Branch that plans start from and go to");
  command.add_option("--plan-tier", answers.plan_tier, "local, scripted or api");
  command.add_option("--validators", answers.validators, "name=command; name=command, or none");
  command.add_option("--budget", answers.budget, "Most dollars in a month, or none");
  command.add_option("--integration", answers.integration, "branch, merge or none");
  command.add_flag("--yes,-y", options->yes, "Ask nothing; take the defaults");
}

void AddUpdate(CommandSet& commands, CLI::App& group) {
  const auto options = std::make_shared<UpdateOptions>();
  CLI::App& command = commands.Add(
      "update", "Change a project",
      Connected([options](Invocation& invocation) { return UpdateProject(*options, invocation); }),
      &group);
  command.add_option("PROJECT", options->id, "Id of the project")->required();
  command.add_option("--title", options->title, "What people call it");
  command.add_option("--repository", options->repository, "Absolute path or URL");
  command.add_option("--branch", options->branch, "Branch that plans start from and go to");
  command.add_option("--plan-tier", options->plan_tier, "local, scripted or api");
  command.add_option("--integration", options->integration, "Where finished plans go")
      ->check(CLI::IsMember({"branch", "merge", "none"}));
  command.add_option("--critic", options->critic, "Role that judges changes, or none");
  command.add_option("--diagnosis", options->diagnosis,
                     "Role that says why a task fails when its retries are spent, or none");
  command.add_option("--validator", options->validators, "name=command; replaces all; repeatable");
  command.add_flag("--no-validators", options->no_validators, "Run no validators");
  command.add_flag("--agent-checks,!--no-agent-checks", options->agent_checks,
                   "Whether agents run the validators on a change before they hand it in");
  command.add_option("--parallel", options->parallel, "Most attempts at once; 0 means the hosts");
  command.add_option("--retries", options->retries, "Most retries of an agent")
      ->check(CLI::Range(0, 100));
}

}  // namespace

void AddProjectCommands(CommandSet& commands) {
  AddInit(commands);
  CLI::App& group = commands.AddGroup("project", "Repositories and what they allow");
  commands.Add("list", "List projects", Connected(ListProjects), &group);
  const auto shown = std::make_shared<std::string>();
  CLI::App& show = commands.Add(
      "show", "Show a project",
      Connected([shown](Invocation& invocation) { return ShowProject(*shown, invocation); }),
      &group);
  show.add_option("PROJECT", *shown, "Id of the project");
  AddUpdate(commands, group);
}

}  // namespace slipway::cli
