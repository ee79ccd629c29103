#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/client/pages.h"
#include "cli/client/plan_view.h"
#include "cli/command/families.h"
#include "cli/command/requests.h"
#include "cli/output/amendment_text.h"
#include "cli/output/display_width.h"
#include "cli/output/event_line.h"
#include "cli/output/plan_tree.h"
#include "cli/output/quantity_text.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::DispatcherService;
using events::v1::EventLogService;
using gateway::v1::GatewayService;
using planner::v1::Plan;
using planner::v1::PlannerService;

constexpr int kPlansShownMax = 20;

struct EventsOptions {
  std::string plan;
  std::string kinds;
  int last = 50;
};

absl::StatusOr<planner::v1::ListPlansResponse> RecentPlans(Invocation& invocation) {
  planner::v1::ListPlansRequest request;
  request.set_parent("projects/-");
  if (!invocation.options().project.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_parent(), invocation.names().Project());
  }
  request.set_page_size(kPlansShownMax);
  Connection& connection = invocation.connection();
  return connection.Call(connection.planner(), &PlannerService::StubInterface::ListPlans, request);
}

void PrintServices(const gateway::v1::GetStatusResponse& status, Output& output) {
  std::string line = absl::StrCat("Slipway ", status.version(), ": ");
  for (const auto& service : status.services()) {
    absl::StrAppend(
        &line,
        output.Painted(service.serving() ? Tone::kGood : Tone::kBad,
                       absl::StrCat(service.serving() ? "✔ " : "✘ ", service.name())),
        service.problem().empty() ? "" : absl::StrCat(" (", OneLine(service.problem()), ")"), "  ");
  }
  output.Line(line.substr(0, line.find_last_not_of(' ') + 1));
}

void PrintPlans(const planner::v1::ListPlansResponse& plans, base::Clock& clock, Output& output) {
  if (plans.plans().empty()) {
    output.Line("no plans yet; make one: slipway plan SPEC.md");
    return;
  }
  TextTable table({{"PLAN"}, {"PROJECT"}, {"STATE"}, {"CHANGED"}, {"TITLE"}});
  for (const Plan& plan : plans.plans()) {
    const std::string state = Plan::State_Name(plan.state());
    table.Add({LastId(plan.name()), plan.name().substr(9, plan.name().find("/plans/") - 9),
               Cell(absl::StrCat(SymbolOfState(state), " ", StateText(state),
                                 plan.has_amendment() ? ", " : "", AmendmentStanding(plan)),
                    plan.has_amendment() ? Tone::kWarning : ToneOfState(state)),
               RelativeText(rpc::FromProto(plan.update_time()), clock.Now()), plan.title()});
  }
  output.Table(table);
}

// The newest runs; those of which no task waits for an agent are left out.
absl::StatusOr<std::vector<dispatcher::v1::Run>> RunsThatWait(Invocation& invocation) {
  dispatcher::v1::ListRunsRequest request;
  if (!invocation.options().project.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_project(), invocation.names().Project());
  }
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const auto runs,
                   connection.Call(connection.dispatcher(),
                                   &DispatcherService::StubInterface::ListRuns, request));
  std::vector<dispatcher::v1::Run> waiting;
  for (const dispatcher::v1::Run& run : runs.runs()) {
    if (!run.waits_by_reason().empty()) waiting.push_back(run);
  }
  return waiting;
}

void PrintWaits(const std::vector<dispatcher::v1::Run>& runs, Output& output) {
  if (runs.empty()) return;
  output.Line("");
  TextTable table({{"PLAN"}, {"WAIT FOR AN AGENT", TextTable::Align::kRight}, {"WHY"}});
  for (const dispatcher::v1::Run& run : runs) {
    const std::map<std::string, int> reasons(run.waits_by_reason().begin(),
                                             run.waits_by_reason().end());
    int tasks = 0;
    std::vector<std::string> why;
    for (const auto& [reason, count] : reasons) {
      tasks += count;
      why.push_back(absl::StrCat(count, " ", StateText(reason)));
    }
    table.Add({LastId(run.plan()), absl::StrCat(tasks), absl::StrJoin(why, ", ")});
  }
  output.Table(table);
}

absl::StatusOr<ExitCode> Status(Invocation& invocation) {
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(
      const auto status,
      connection.Call(connection.gateway(), &GatewayService::StubInterface::GetStatus, {}));
  ASSIGN_OR_RETURN(const auto plans, RecentPlans(invocation));
  ASSIGN_OR_RETURN(const auto checkpoints, ListCheckpoints(connection, "", false));
  ASSIGN_OR_RETURN(const std::vector<dispatcher::v1::Run> waiting, RunsThatWait(invocation));
  if (output.json()) {
    std::vector<std::string> runs;
    for (const dispatcher::v1::Run& run : waiting) runs.push_back(JsonText(run));
    output.Line(absl::StrCat("{\"status\":", JsonText(status), ",\"waiting_runs\":[",
                             absl::StrJoin(runs, ","), "],",
                             JsonText(plans).substr(1, JsonText(plans).size() - 2), ",",
                             JsonText(checkpoints).substr(1)));
    return ExitCode::kOk;
  }
  PrintServices(status, output);
  output.Line("");
  PrintPlans(plans, invocation.clock(), output);
  PrintWaits(waiting, output);
  if (!checkpoints.checkpoints().empty()) {
    output.Line("");
    output.Line(output.Painted(
        Tone::kWarning,
        absl::StrCat(checkpoints.checkpoints_size(), " open questions: slipway checkpoints")));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Events(const EventsOptions& options, Invocation& invocation) {
  events::v1::ListEventsRequest request;
  if (!options.plan.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_filter()->mutable_plan(),
                     invocation.names().Plan(options.plan));
  } else if (!invocation.options().project.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_filter()->mutable_project(), invocation.names().Project());
  }
  for (std::string& kind : SplitList(options.kinds)) {
    request.mutable_filter()->add_kinds(std::move(kind));
  }
  request.set_page_size(500);
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(const auto events, AllPages(connection, connection.events(),
                                               &EventLogService::StubInterface::ListEvents, request,
                                               [](auto& page) { return page.mutable_events(); }));
  const int first = std::max(0, events.events_size() - options.last);
  for (int i = first; i < events.events_size(); ++i) {
    if (output.json()) {
      output.Json(events.events(i));
    } else {
      output.Line(EventLine(events.events(i), {.zone = absl::LocalTimeZone(),
                                               .colour = output.colour(),
                                               .everything = true,
                                               .with_plan = options.plan.empty()}));
    }
  }
  return ExitCode::kOk;
}

}  // namespace

void AddStatusCommands(CommandSet& commands) {
  commands.Add("status", "Show how the suite and its plans are doing", Connected(Status));
  const auto events = std::make_shared<EventsOptions>();
  CLI::App& command = commands.Add(
      "events", "Show what happened",
      Connected([events](Invocation& invocation) { return Events(*events, invocation); }));
  command.add_option("PLAN", events->plan, "Only of this plan");
  command.add_option("--kinds", events->kinds, "Only these kinds: task.,budget.denied");
  command.add_option("--last,-n", events->last, "Most events to show")
      ->check(CLI::Range(1, kRowsMax));
}

}  // namespace slipway::cli
