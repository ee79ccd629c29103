#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/client/plan_view.h"
#include "cli/command/families.h"
#include "cli/command/requests.h"
#include "cli/output/plan_tree.h"
#include "cli/output/quantity_text.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using models::v1::ModelsService;

struct CallsOptions {
  std::string scope;
  int last = 50;
};

absl::StatusOr<ExitCode> Routes(Invocation& invocation) {
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(const auto list, connection.Call(connection.models(),
                                                    &ModelsService::StubInterface::ListRoutes, {}));
  if (output.json()) {
    output.Json(list);
    return ExitCode::kOk;
  }
  TextTable table({{"ROLE"},
                   {"PROVIDER"},
                   {"MODEL"},
                   {"TIER"},
                   {"EFFORT"},
                   {"INPUT", TextTable::Align::kRight},
                   {"OUTPUT", TextTable::Align::kRight},
                   {"TIMEOUT", TextTable::Align::kRight}});
  for (const models::v1::Route& route : list.routes()) {
    table.Add({route.role(), route.provider(), route.model(), route.service_tier(),
               route.reasoning_effort(), CountText(route.input_tokens_max()),
               CountText(route.output_tokens_max()),
               DurationText(rpc::FromProto(route.call_timeout()))});
  }
  output.Table(table);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Calibration(Invocation& invocation) {
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(const auto list, connection.Call(connection.models(),
                                                    &ModelsService::StubInterface::ListRoutes, {}));
  if (output.json()) {
    models::v1::ListRoutesResponse only;
    *only.mutable_calibrations() = list.calibrations();
    output.Json(only);
    return ExitCode::kOk;
  }
  TextTable table({{"PROVIDER"},
                   {"MODEL"},
                   {"CONTENT"},
                   {"CALLS", TextTable::Align::kRight},
                   {"BOUND", TextTable::Align::kRight},
                   {"COUNTED", TextTable::Align::kRight},
                   {"USED", TextTable::Align::kRight},
                   {"WORST", TextTable::Align::kRight}});
  const auto percent = [](double share) { return absl::StrFormat("%.1f %%", share * 100); };
  for (const models::v1::InputCalibration& one : list.calibrations()) {
    const auto bound = static_cast<double>(std::max<int64_t>(one.bound_tokens(), 1));
    const double worst = one.worst_per_mille() / 1'000.0;
    table.Add({one.provider(), one.model(), one.content(), CountText(one.calls()),
               CountText(one.bound_tokens()), CountText(one.counted_tokens()),
               percent(static_cast<double>(one.counted_tokens()) / bound),
               Cell(percent(worst), worst > 1 ? Tone::kBad : Tone::kPlain)});
  }
  output.Table(table);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Providers(Invocation& invocation) {
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(
      const auto list,
      connection.Call(connection.models(), &ModelsService::StubInterface::ListProviders, {}));
  if (output.json()) {
    output.Json(list);
    return ExitCode::kOk;
  }
  TextTable table({{"PROVIDER"},
                   {"KIND"},
                   {"HEALTH"},
                   {"LOOKED AT"},
                   {"PAID CALLS"},
                   {"CLOSED"},
                   {"LAST ERROR"}});
  for (const models::v1::Provider& provider : list.providers()) {
    std::vector<std::string> gates;
    for (const models::v1::Gate& gate : provider.closed_gates()) {
      gates.push_back(
          absl::StrCat(gate.name(), " (", gate.cause(), ") ",
                       RelativeText(rpc::FromProto(gate.until_time()), invocation.clock().Now())));
    }
    const bool looked = provider.has_check_time();
    table.Add(
        {LastId(provider.name()), provider.kind(),
         !looked              ? Cell("not asked", Tone::kPlain)
         : provider.healthy() ? Cell("well", Tone::kGood)
                              : Cell("not well", Tone::kBad),
         looked ? RelativeText(rpc::FromProto(provider.check_time()), invocation.clock().Now())
                : "",
         provider.enabled() ? "allowed" : "no", Cell(absl::StrJoin(gates, "; "), Tone::kWarning),
         Cell(provider.last_error(), Tone::kBad)});
  }
  output.Table(table);
  return ExitCode::kOk;
}

Tone ToneOfOutcome(const std::string& outcome) {
  if (outcome == "OK") return Tone::kGood;
  return outcome == "RUNNING" ? Tone::kActive : Tone::kBad;
}

absl::StatusOr<ExitCode> Calls(const CallsOptions& options, Invocation& invocation) {
  models::v1::ListCallsRequest request;
  request.set_page_size(options.last);
  if (!options.scope.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_scope(), invocation.names().Scope(options.scope));
  }
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(
      const auto list,
      connection.Call(connection.models(), &ModelsService::StubInterface::ListCalls, request));
  if (output.json()) {
    output.Json(list);
    return ExitCode::kOk;
  }
  TextTable table({{"STARTED"},
                   {"FOR"},
                   {"INTENT"},
                   {"ROLE"},
                   {"MODEL"},
                   {"OUTCOME"},
                   {"INPUT", TextTable::Align::kRight},
                   {"OUTPUT", TextTable::Align::kRight},
                   {"COST", TextTable::Align::kRight},
                   {"WHY"}});
  for (const models::v1::Call& call : list.calls()) {
    const ledger::v1::ScopePath& scopes = call.scopes();
    table.Add({RelativeText(rpc::FromProto(call.start_time()), invocation.clock().Now()),
               ShortName(!scopes.attempt().empty() ? scopes.attempt()
                         : !scopes.task().empty()  ? scopes.task()
                         : !scopes.plan().empty()  ? scopes.plan()
                                                   : scopes.project()),
               call.intent(), scopes.role(), call.model(),
               Cell(StateText(call.outcome()), ToneOfOutcome(call.outcome())),
               CountText(call.tokens().input()), CountText(call.tokens().output()),
               MoneyText(call.cost_usd_nanos()), call.reason()});
  }
  output.Table(table);
  return ExitCode::kOk;
}

struct ExplainOptions {
  std::string call;
  std::string plan;
  std::string task;
  std::string attempt;
  std::string role;
  std::string intent = "write";
  std::string complexity = "medium";
  std::string validation = "tests";
  int failed = 0;
  int64_t input_tokens = 0;
};

struct ApproveOptions {
  std::string role;
  std::string scope;
  int calls = 1;
  int minutes = 60;
};

models::v1::ExplainRouteRequest ExplainRequest(const ExplainOptions& options) {
  using Traits = models::v1::TaskTraits;
  models::v1::ExplainRouteRequest request;
  request.set_call(options.call);
  request.set_role(options.role);
  request.set_intent(options.intent);
  request.set_input_tokens(options.input_tokens);
  Traits& traits = *request.mutable_traits();
  traits.set_complexity(options.complexity == "trivial" ? Traits::COMPLEXITY_TRIVIAL
                        : options.complexity == "low"   ? Traits::COMPLEXITY_LOW
                        : options.complexity == "high"  ? Traits::COMPLEXITY_HIGH
                                                        : Traits::COMPLEXITY_MEDIUM);
  traits.set_validation_need(options.validation == "none"     ? Traits::VALIDATION_NEED_NONE
                             : options.validation == "strict" ? Traits::VALIDATION_NEED_STRICT
                                                              : Traits::VALIDATION_NEED_TESTS);
  traits.set_escalation_depth(options.failed);
  return request;
}

void PrintDecisions(const models::v1::ExplainRouteResponse& answer, Output& output,
                    absl::Time now) {
  for (const models::v1::RoleDecision& decision : answer.decisions()) {
    const bool raised = decision.role() != decision.named_role();
    output.Line(absl::StrCat(ShortName(decision.attempt()), ": ",
                             output.Painted(Tone::kGood, decision.role()),
                             raised && !decision.named_role().empty()
                                 ? absl::StrCat(" in place of ", decision.named_role())
                                 : "",
                             ", ", RelativeText(rpc::FromProto(decision.time()), now)));
    for (const std::string& reason : decision.reasons()) output.Line("  " + reason);
  }
}

void PrintTries(const models::v1::ExplainRouteResponse& answer, Output& output) {
  for (const models::v1::Call& call : answer.tries()) {
    output.Line(absl::StrCat(call.name(), ": ", call.provider(), "/", call.model(), ", tier ",
                             call.service_tier(), ", ", StateText(call.outcome()),
                             call.reason().empty() ? "" : " (" + call.reason() + ")", ", ",
                             MoneyText(call.cost_usd_nanos())));
    for (const std::string& reason : call.route_reasons()) output.Line("  " + reason);
  }
}

absl::StatusOr<ExitCode> Explain(const ExplainOptions& options, Invocation& invocation) {
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  models::v1::ExplainRouteRequest request = ExplainRequest(options);
  if (!options.plan.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_scope(), invocation.names().Plan(options.plan));
  } else if (!options.task.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_scope(), invocation.names().Task(options.task));
  } else if (!options.attempt.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_scope(), invocation.names().Attempt(options.attempt));
  }
  ASSIGN_OR_RETURN(
      const auto answer,
      connection.Call(connection.models(), &ModelsService::StubInterface::ExplainRoute, request));
  if (output.json()) {
    output.Json(answer);
    return ExitCode::kOk;
  }
  if (!request.scope().empty()) {
    PrintDecisions(answer, output, invocation.clock().Now());
    PrintTries(answer, output);
    return ExitCode::kOk;
  }
  output.Line("role " + answer.role());
  for (const std::string& reason : answer.role_reasons()) output.Line("  " + reason);
  PrintTries(answer, output);
  if (answer.routes().empty()) return ExitCode::kOk;
  TextTable table({{"ROUTE"}, {"PROVIDER"}, {"MODEL"}, {"TIER"}, {"NOW"}, {"WHY"}});
  bool chosen = false;
  for (const models::v1::RouteVerdict& verdict : answer.routes()) {
    const models::v1::Route& route = verdict.route();
    const char* now = !verdict.usable() ? "passed over" : chosen ? "fallback" : "serves";
    table.Add({absl::StrCat(route.role(), "[", route.position(), "]"), route.provider(),
               route.model(), route.service_tier(),
               Cell(now, verdict.usable() ? Tone::kGood : Tone::kWarning), verdict.detail()});
    chosen = chosen || verdict.usable();
  }
  output.Table(table);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Approve(const ApproveOptions& options, Invocation& invocation) {
  models::v1::ApproveCallsRequest request;
  request.set_request_id(base::RandomIds().NewId("cli"));
  request.set_role(options.role);
  ASSIGN_OR_RETURN(*request.mutable_scope(), invocation.names().Scope(options.scope));
  request.set_calls(options.calls);
  *request.mutable_lifetime() = rpc::ToProto(absl::Minutes(options.minutes));
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(
      const auto answer,
      connection.Call(connection.models(), &ModelsService::StubInterface::ApproveCalls, request));
  if (invocation.output().json()) {
    invocation.output().Json(answer);
    return ExitCode::kOk;
  }
  invocation.output().Progress(absl::StrCat(
      "approved ", options.calls, options.calls == 1 ? " call of " : " calls of ", options.role,
      " below ", request.scope(), ", for ", DurationText(absl::Minutes(options.minutes))));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Gates(Invocation& invocation) {
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(
      const auto list,
      connection.Call(connection.models(), &ModelsService::StubInterface::ListProviders, {}));
  if (output.json()) {
    output.Json(list);
    return ExitCode::kOk;
  }
  TextTable table({{"CLOSED GATE"}, {"CAUSE"}, {"OPENS"}, {"WHAT THE PROVIDER SAID"}});
  int closed = 0;
  for (const models::v1::Provider& provider : list.providers()) {
    for (const models::v1::Gate& gate : provider.closed_gates()) {
      ++closed;
      table.Add({gate.name(), Cell(gate.cause(), Tone::kWarning),
                 gate.has_until_time()
                     ? RelativeText(rpc::FromProto(gate.until_time()), invocation.clock().Now())
                     : "by hand: slipway models open GATE",
                 gate.detail()});
    }
  }
  if (closed == 0) {
    output.Line("every gate is open");
  } else {
    output.Table(table);
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> OpenGate(const std::string& gate, Invocation& invocation) {
  models::v1::OpenGateRequest request;
  request.set_name(gate);
  Connection& connection = invocation.connection();
  RETURN_IF_ERROR(
      connection.Call(connection.models(), &ModelsService::StubInterface::OpenGate, request)
          .status());
  invocation.output().Progress("opened " + gate);
  return ExitCode::kOk;
}

void AddDecisionCommands(CommandSet& commands, CLI::App& group) {
  const auto explain = std::make_shared<ExplainOptions>();
  CLI::App& why = commands.Add(
      "explain", "Say why a call or an attempt got its role and route, or which one would",
      Connected([explain](Invocation& invocation) { return Explain(*explain, invocation); }),
      &group);
  CLI::Option* const call =
      why.add_option("CALL", explain->call, "A call that was made: slipway models calls");
  CLI::Option* const plan =
      why.add_option("--plan", explain->plan, "The roles that attempts of a plan were given");
  CLI::Option* const task = why.add_option("--task", explain->task, "The same of a task");
  CLI::Option* const attempt = why.add_option(
      "--attempt", explain->attempt, "The same of an attempt, such as TASK@2, with its calls");
  plan->excludes(call)->excludes(task)->excludes(attempt);
  task->excludes(call)->excludes(attempt);
  attempt->excludes(call);
  why.add_option("--role", explain->role, "The role, where it is not to be chosen");
  why.add_option("--intent", explain->intent, "What it is for: plan, judge, classify, write, ..");
  why.add_option("--complexity", explain->complexity, "How hard it is")
      ->check(CLI::IsMember({"trivial", "low", "medium", "high"}));
  why.add_option("--validation", explain->validation, "How much the result must stand")
      ->check(CLI::IsMember({"none", "tests", "strict"}));
  why.add_option("--failed", explain->failed, "How often weaker models have failed at it")
      ->check(CLI::Range(0, 100));
  why.add_option("--input-tokens", explain->input_tokens, "Input tokens of the call");
  const auto approve = std::make_shared<ApproveOptions>();
  CLI::App& leave = commands.Add(
      "approve", "Let calls use routes that a person must approve",
      Connected([approve](Invocation& invocation) { return Approve(*approve, invocation); }),
      &group);
  leave.add_option("ROLE", approve->role, "Their role, such as emergency_pro_reviewer")->required();
  leave.add_option("SCOPE", approve->scope, "Project, plan or task that they are for")->required();
  leave.add_option("--calls", approve->calls, "How many")->check(CLI::Range(1, 1'000));
  leave.add_option("--minutes", approve->minutes, "For how long")->check(CLI::Range(1, 1'440));
  commands.Add("gates", "Show which providers and models are not asked, and until when",
               Connected(Gates), &group);
  const auto gate = std::make_shared<std::string>();
  CLI::App& open = commands.Add(
      "open", "Open a gate before its time",
      Connected([gate](Invocation& invocation) { return OpenGate(*gate, invocation); }), &group);
  open.add_option("GATE", *gate, "Its name: slipway models gates")->required();
}

}  // namespace

void AddModelsCommands(CommandSet& commands) {
  CLI::App& group = commands.AddGroup("models", "Roles, providers and calls");
  commands.Add("routes", "Show which model serves which role", Connected(Routes), &group);
  commands.Add("calibration",
               "Show how much of the input that calls are bounded by is counted by their models",
               Connected(Calibration), &group);
  CLI::App& providers =
      commands.Add("providers", "Show who serves models, whether they are well, and what is closed",
                   Connected(Providers), &group);
  providers.alias("status");
  const auto calls = std::make_shared<CallsOptions>();
  CLI::App& command = commands.Add(
      "calls", "Show calls to models, newest first",
      Connected([calls](Invocation& invocation) { return Calls(*calls, invocation); }), &group);
  command.add_option("SCOPE", calls->scope, "Only of this and what is below it");
  command.add_option("--last,-n", calls->last, "Most calls to show")->check(CLI::Range(1, 1'000));
  AddDecisionCommands(commands, group);
  AddCassetteCommands(commands, group);
}

}  // namespace slipway::cli
