#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "cli/client/pages.h"
#include "cli/command/families.h"
#include "cli/command/money.h"
#include "cli/command/requests.h"
#include "cli/output/quantity_text.h"
#include "lib/base/error.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {

std::string AmountText(ledger::v1::Metric metric, int64_t amount) {
  return metric == ledger::v1::METRIC_USD_NANOS ? MoneyText(amount) : CountText(amount);
}

std::string LowerTail(const std::string& enum_name) {
  return absl::AsciiStrToLower(enum_name.substr(enum_name.find('_') + 1));
}

absl::StatusOr<std::string> MoneyScope(const std::string& text, Invocation& invocation) {
  if (text.empty() || text == "organisation") return text;
  const size_t role = text.find("roles/");
  if (role == 0) {
    ASSIGN_OR_RETURN(const std::string project, invocation.names().Project());
    return absl::StrCat(project, "/", text);
  }
  const bool of_project =
      role != std::string::npos && text[role - 1] == '/' && text.find('/') == role - 1;
  if (of_project) return absl::StrCat("projects/", text);
  return invocation.names().Scope(text);
}

absl::StatusOr<absl::Time> ParseWhen(const std::string& text) {
  absl::CivilDay day;
  absl::Time time;
  std::string problem;
  if (absl::ParseCivilTime(text, &day)) return absl::FromCivil(day, absl::UTCTimeZone());
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &problem)) return time;
  return base::Error(absl::StatusCode::kInvalidArgument, "ARGUMENT_INVALID",
                     absl::StrCat("'", text, "' is no date such as 2026-11-01"), {{"time", text}});
}

namespace {

using ledger::v1::Balance;
using ledger::v1::LedgerService;

constexpr int kWarnPercentDefault = 80;

struct BudgetOptions {
  std::string scope;
  std::string limit;
  std::string metric = "usd";
  std::string window = "total";
  std::string time_zone;
  std::string warn;
  bool freeze = false;
  std::string name;
};

// What will have been spent at the end of the window, at the rate so far.
Cell HeadingText(const Balance& balance) {
  if (!balance.projection().has_posted_at_end()) return "";
  const int64_t posted = balance.projection().posted_at_end();
  return Cell(AmountText(balance.budget().metric(), posted),
              posted > balance.budget().limit() ? Tone::kWarning : Tone::kPlain);
}

void PrintBalances(const google::protobuf::RepeatedPtrField<Balance>& balances, Output& output) {
  if (balances.empty()) return output.Line("no limits are set: slipway budget set SCOPE DOLLARS");
  TextTable table({{"BUDGET"},
                   {"SCOPE"},
                   {"WINDOW"},
                   {"LIMIT", TextTable::Align::kRight},
                   {"SPENT", TextTable::Align::kRight},
                   {"HELD", TextTable::Align::kRight},
                   {"LEFT", TextTable::Align::kRight},
                   {"HEADING FOR", TextTable::Align::kRight},
                   {"UNIT"}});
  for (const Balance& balance : balances) {
    const ledger::v1::Budget& budget = balance.budget();
    table.Add(
        {LastId(budget.name()), budget.scope(), LowerTail(ledger::v1::Window_Name(budget.window())),
         AmountText(budget.metric(), budget.limit()), AmountText(budget.metric(), balance.posted()),
         AmountText(budget.metric(), balance.reserved()),
         Cell(AmountText(budget.metric(), balance.remaining()),
              balance.remaining() <= 0 ? Tone::kBad : Tone::kPlain),
         HeadingText(balance),
         budget.frozen() ? "frozen"
         : budget.metric() == ledger::v1::METRIC_USD_NANOS
             ? ""
             : LowerTail(ledger::v1::Metric_Name(budget.metric()))});
  }
  output.Table(table);
}

absl::StatusOr<int64_t> LimitOf(const BudgetOptions& options) {
  if (options.metric == "usd") return ParseMoney(options.limit);
  int64_t limit = 0;
  if (absl::SimpleAtoi(options.limit, &limit) && limit >= 0) return limit;
  return base::Error(absl::StatusCode::kInvalidArgument, "ARGUMENT_INVALID",
                     absl::StrCat("'", options.limit, "' is no number of ", options.metric),
                     {{"limit", options.limit}});
}

absl::Status ParseWarnings(const std::string& text, ledger::v1::Budget& budget) {
  if (text == "none") return absl::OkStatus();
  for (const std::string& part : SplitList(text)) {
    int32_t percent = 0;
    if (!absl::SimpleAtoi(part, &percent) || percent < 1 || percent > 100) {
      return base::Error(absl::StatusCode::kInvalidArgument, "ARGUMENT_INVALID",
                         absl::StrCat("'", part, "' is no percentage from 1 to 100, such as 80"),
                         {{"warn", part}});
    }
    budget.add_warn_percents(percent);
  }
  return absl::OkStatus();
}

// The limit on the same scope, metric and window, as it is now.
absl::StatusOr<std::optional<ledger::v1::Budget>> KnownBudget(const ledger::v1::Budget& wanted,
                                                              Connection& connection) {
  ledger::v1::ListBalancesRequest request;
  request.set_scope(wanted.scope());
  ASSIGN_OR_RETURN(const auto list, AllPages(connection, connection.ledger(),
                                             &LedgerService::StubInterface::ListBalances, request,
                                             [](auto& page) { return page.mutable_balances(); }));
  for (const Balance& balance : list.balances()) {
    const ledger::v1::Budget& budget = balance.budget();
    if (budget.scope() == wanted.scope() && budget.metric() == wanted.metric() &&
        budget.window() == wanted.window()) {
      return budget;
    }
  }
  return std::nullopt;
}

absl::StatusOr<ExitCode> SetBudget(const BudgetOptions& options, Invocation& invocation) {
  ledger::v1::SetBudgetRequest request;
  ledger::v1::Budget& budget = *request.mutable_budget();
  ASSIGN_OR_RETURN(const int64_t limit, LimitOf(options));
  budget.set_limit(limit);
  ASSIGN_OR_RETURN(*budget.mutable_scope(), MoneyScope(options.scope, invocation));
  budget.set_metric(options.metric == "usd"      ? ledger::v1::METRIC_USD_NANOS
                    : options.metric == "tokens" ? ledger::v1::METRIC_TOKENS
                                                 : ledger::v1::METRIC_REQUESTS);
  budget.set_window(options.window == "total"   ? ledger::v1::WINDOW_TOTAL
                    : options.window == "month" ? ledger::v1::WINDOW_MONTH
                                                : ledger::v1::WINDOW_DAY);
  request.set_request_id(base::RandomIds().NewId("cli"));
  Connection& connection = invocation.connection();
  // What is not said stays as it is; of a new limit, people want to hear before it is spent.
  ASSIGN_OR_RETURN(const std::optional<ledger::v1::Budget> known, KnownBudget(budget, connection));
  budget.set_time_zone(!options.time_zone.empty() || !known ? options.time_zone
                                                            : known->time_zone());
  budget.set_frozen(options.freeze);
  if (known.has_value()) request.set_expected_version(known->version());
  if (!options.warn.empty()) {
    RETURN_IF_ERROR(ParseWarnings(options.warn, budget));
  } else if (known.has_value()) {
    *budget.mutable_warn_percents() = known->warn_percents();
  } else {
    budget.add_warn_percents(kWarnPercentDefault);
  }
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.ledger(), &LedgerService::StubInterface::SetBudget, request));
  if (invocation.output().json()) {
    invocation.output().Json(response.balance());
    return ExitCode::kOk;
  }
  google::protobuf::RepeatedPtrField<Balance> balances;
  *balances.Add() = response.balance();
  PrintBalances(balances, invocation.output());
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ListBudgets(const BudgetOptions& options, Invocation& invocation) {
  ledger::v1::ListBalancesRequest request;
  ASSIGN_OR_RETURN(*request.mutable_scope(), MoneyScope(options.scope, invocation));
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const auto list, AllPages(connection, connection.ledger(),
                                             &LedgerService::StubInterface::ListBalances, request,
                                             [](auto& page) { return page.mutable_balances(); }));
  if (invocation.output().json()) {
    invocation.output().Json(list);
  } else {
    PrintBalances(list.balances(), invocation.output());
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> DeleteBudget(const BudgetOptions& options, Invocation& invocation) {
  ledger::v1::DeleteBudgetRequest request;
  request.set_name(options.name.rfind("budgets/", 0) == 0 ? options.name
                                                          : absl::StrCat("budgets/", options.name));
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.ledger(), &LedgerService::StubInterface::DeleteBudget, request));
  if (invocation.output().json()) {
    invocation.output().Json(response);
    return ExitCode::kOk;
  }
  invocation.output().Progress(absl::StrCat("removed ", request.name()));
  return ExitCode::kOk;
}

void AddBudget(CommandSet& commands) {
  CLI::App& group = commands.AddGroup("budget", "Limits on what may be spent");
  const auto set = std::make_shared<BudgetOptions>();
  CLI::App& set_command = commands.Add(
      "set", "Set or change a limit",
      Connected([set](Invocation& invocation) { return SetBudget(*set, invocation); }), &group);
  set_command
      .add_option("SCOPE", set->scope, "organisation, a project, a plan, a task, or roles/ROLE")
      ->required();
  set_command.add_option("LIMIT", set->limit, "Dollars, or a count with --metric")->required();
  set_command.add_option("--metric", set->metric, "What is counted")
      ->check(CLI::IsMember({"usd", "tokens", "requests"}));
  set_command.add_option("--window", set->window, "Over which time")
      ->check(CLI::IsMember({"total", "month", "day"}));
  set_command.add_option("--time-zone", set->time_zone,
                         "Where months and days begin, such as Europe/Berlin; UTC when new");
  set_command.add_option("--warn", set->warn,
                         "Percentages that are warned of, such as 50,80; none; 80 when new");
  set_command.add_flag("--freeze", set->freeze, "Admit nothing until it is set again");

  const auto list = std::make_shared<BudgetOptions>();
  CLI::App& list_command = commands.Add(
      "list", "Show limits and what is left",
      Connected([list](Invocation& invocation) { return ListBudgets(*list, invocation); }), &group);
  list_command.add_option("SCOPE", list->scope, "Only this and what is below it");

  const auto remove = std::make_shared<BudgetOptions>();
  CLI::App& remove_command = commands.Add(
      "delete", "Remove a limit",
      Connected([remove](Invocation& invocation) { return DeleteBudget(*remove, invocation); }),
      &group);
  remove_command.add_option("BUDGET", remove->name, "As slipway budget list shows it")->required();
  AddBudgetDetails(commands, group);
  AddPriceCommands(commands, group);
}

}  // namespace

void AddMoneyCommands(CommandSet& commands) {
  AddBudget(commands);
  AddUsageCommand(commands);
}

}  // namespace slipway::cli
