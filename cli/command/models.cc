#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/client/plan_view.h"
#include "cli/command/families.h"
#include "cli/command/requests.h"
#include "cli/output/plan_tree.h"
#include "cli/output/quantity_text.h"
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
  TextTable table({{"PROVIDER"}, {"KIND"}, {"PAID CALLS"}, {"CLOSED"}, {"LAST ERROR"}});
  for (const models::v1::Provider& provider : list.providers()) {
    std::vector<std::string> gates;
    for (const models::v1::Gate& gate : provider.closed_gates()) {
      gates.push_back(
          absl::StrCat(gate.name(), " (", gate.cause(), ") ",
                       RelativeText(rpc::FromProto(gate.until_time()), invocation.clock().Now())));
    }
    table.Add({LastId(provider.name()), provider.kind(), provider.enabled() ? "allowed" : "no",
               Cell(absl::StrJoin(gates, "; "), Tone::kWarning),
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

}  // namespace

void AddModelsCommands(CommandSet& commands) {
  CLI::App& group = commands.AddGroup("models", "Roles, providers and calls");
  commands.Add("routes", "Show which model serves which role", Connected(Routes), &group);
  commands.Add("providers", "Show who serves models, and what is closed", Connected(Providers),
               &group);
  const auto calls = std::make_shared<CallsOptions>();
  CLI::App& command = commands.Add(
      "calls", "Show calls to models, newest first",
      Connected([calls](Invocation& invocation) { return Calls(*calls, invocation); }), &group);
  command.add_option("SCOPE", calls->scope, "Only of this and what is below it");
  command.add_option("--last,-n", calls->last, "Most calls to show")->check(CLI::Range(1, 1'000));
}

}  // namespace slipway::cli
