#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/client/pages.h"
#include "cli/command/money.h"
#include "cli/command/requests.h"
#include "cli/output/quantity_text.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using ledger::v1::LedgerService;

struct DetailOptions {
  std::string name;
  std::string scope;
  std::string reason;
};

std::string DateText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M UTC", rpc::FromProto(time), absl::UTCTimeZone());
}

void PrintFacts(const ledger::v1::Balance& balance, Output& output) {
  const ledger::v1::Budget& budget = balance.budget();
  const auto amount = [&](int64_t value) { return AmountText(budget.metric(), value); };
  const std::string unit = budget.metric() == ledger::v1::METRIC_USD_NANOS
                               ? ""
                               : absl::StrCat(" ", LowerTail(Metric_Name(budget.metric())));
  const std::string window = LowerTail(Window_Name(budget.window()));
  output.Line(absl::StrCat(budget.scope(), ": ", amount(budget.limit()), unit,
                           window == "total" ? " in all" : absl::StrCat(" a ", window),
                           budget.time_zone().empty() ? "" : " of " + budget.time_zone(),
                           budget.frozen() ? ", frozen" : ""));
  output.Line(absl::StrCat("spent ", amount(balance.posted()), ", held ",
                           amount(balance.reserved()), ", left ", amount(balance.remaining())));
  if (balance.overage() > 0) {
    output.Line(absl::StrCat("calls cost ", amount(balance.overage()), " more than they held"));
  }
  if (balance.has_window_end_time()) {
    output.Line(absl::StrCat("the window ends ", DateText(balance.window_end_time())));
  }
  if (!balance.has_projection()) {
    output.Line("where it is heading is not known yet: too little is spent, or too early");
    return;
  }
  const ledger::v1::Projection& projection = balance.projection();
  if (projection.has_posted_at_end()) {
    output.Line(absl::StrCat("heading for ", amount(projection.posted_at_end()),
                             " at the end of the window, at the rate so far"));
  }
  output.Line(projection.has_exhaust_time()
                  ? absl::StrCat("the limit is reached ", DateText(projection.exhaust_time()))
                  : "the limit lasts at the rate so far");
}

absl::StatusOr<ExitCode> ShowBudget(const DetailOptions& options, Invocation& invocation) {
  ledger::v1::GetBudgetRequest request;
  request.set_name(options.name.rfind("budgets/", 0) == 0 ? options.name
                                                          : absl::StrCat("budgets/", options.name));
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.ledger(), &LedgerService::StubInterface::GetBudget, request));
  if (output.json()) {
    output.Json(response);
    return ExitCode::kOk;
  }
  PrintFacts(response.balance(), output);
  const ledger::v1::Budget& budget = response.balance().budget();
  TextTable table({{"DAY (UTC)"},
                   {"SPENT", TextTable::Align::kRight},
                   {"SO FAR", TextTable::Align::kRight},
                   {"OF THE LIMIT LEFT", TextTable::Align::kRight}});
  for (const auto& day : response.days()) {
    table.Add({absl::FormatTime("%Y-%m-%d", rpc::FromProto(day.day_time()), absl::UTCTimeZone()),
               AmountText(budget.metric(), day.spent()),
               AmountText(budget.metric(), day.spent_so_far()),
               AmountText(budget.metric(), budget.limit() - day.spent_so_far())});
  }
  if (!table.empty()) output.Table(table);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Freeze(const DetailOptions& options, bool frozen, Invocation& invocation) {
  ledger::v1::FreezeScopeRequest request;
  ASSIGN_OR_RETURN(*request.mutable_scope(), MoneyScope(options.scope, invocation));
  request.set_frozen(frozen);
  request.set_reason(options.reason);
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.ledger(), &LedgerService::StubInterface::FreezeScope, request));
  if (invocation.output().json()) {
    invocation.output().Json(response);
  } else {
    invocation.output().Progress(
        absl::StrCat(frozen ? "nothing more is spent in " : "spending goes on in ", request.scope(),
                     frozen ? "; calls under way end as they would" : ""));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ListFrozen(Invocation& invocation) {
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(const auto list, AllPages(connection, connection.ledger(),
                                             &LedgerService::StubInterface::ListFrozenScopes, {},
                                             [](auto& page) { return page.mutable_scopes(); }));
  if (output.json()) {
    output.Json(list);
    return ExitCode::kOk;
  }
  if (list.scopes().empty()) {
    output.Line("nothing is frozen");
    return ExitCode::kOk;
  }
  TextTable table({{"SCOPE"}, {"SINCE"}, {"BY"}, {"WHY"}});
  for (const ledger::v1::FrozenScope& scope : list.scopes()) {
    table.Add({scope.scope(), DateText(scope.freeze_time()), scope.actor(), scope.reason()});
  }
  output.Table(table);
  return ExitCode::kOk;
}

}  // namespace

void AddBudgetDetails(CommandSet& commands, CLI::App& group) {
  const auto show = std::make_shared<DetailOptions>();
  CLI::App& show_command = commands.Add(
      "show", "Show a limit day by day, and where its spend is heading",
      Connected([show](Invocation& invocation) { return ShowBudget(*show, invocation); }), &group);
  show_command.add_option("BUDGET", show->name, "As slipway budget list shows it")->required();

  const auto freeze = std::make_shared<DetailOptions>();
  CLI::App& freeze_command = commands.Add(
      "freeze", "Stop all spending in a scope, whatever its limits",
      Connected([freeze](Invocation& invocation) { return Freeze(*freeze, true, invocation); }),
      &group);
  freeze_command
      .add_option("SCOPE", freeze->scope, "organisation, a project, a plan, a task, or roles/ROLE")
      ->required();
  freeze_command.add_option("--reason", freeze->reason, "Why, for other people");

  const auto thaw = std::make_shared<DetailOptions>();
  CLI::App& thaw_command = commands.Add(
      "unfreeze", "Let spending in a scope go on",
      Connected([thaw](Invocation& invocation) { return Freeze(*thaw, false, invocation); }),
      &group);
  thaw_command.add_option("SCOPE", thaw->scope, "As slipway budget frozen shows it")->required();

  commands.Add("frozen", "Show where spending is stopped", Connected(ListFrozen), &group);
}

}  // namespace slipway::cli
