#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/client/pages.h"
#include "cli/command/families.h"
#include "cli/command/requests.h"
#include "cli/output/quantity_text.h"
#include "lib/base/error.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using ledger::v1::Balance;
using ledger::v1::LedgerService;

struct BudgetOptions {
  std::string scope;
  std::string limit;
  std::string metric = "usd";
  std::string window = "total";
  std::string name;
};

struct UsageOptions {
  std::string scope;
  std::string by = "project";
};

std::string AmountText(ledger::v1::Metric metric, int64_t amount) {
  return metric == ledger::v1::METRIC_USD_NANOS ? MoneyText(amount) : CountText(amount);
}

std::string LowerTail(const std::string& enum_name) {
  return absl::AsciiStrToLower(enum_name.substr(enum_name.find('_') + 1));
}

// Scopes of money are those of work, and the organisation and roles besides.
absl::StatusOr<std::string> MoneyScope(const std::string& text, Invocation& invocation) {
  if (text.empty() || text == "organisation") return text;
  return invocation.names().Scope(text);
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
                   {"UNIT"}});
  for (const Balance& balance : balances) {
    const ledger::v1::Budget& budget = balance.budget();
    table.Add(
        {LastId(budget.name()), budget.scope(), LowerTail(ledger::v1::Window_Name(budget.window())),
         AmountText(budget.metric(), budget.limit()), AmountText(budget.metric(), balance.posted()),
         AmountText(budget.metric(), balance.reserved()),
         Cell(AmountText(budget.metric(), balance.remaining()),
              balance.remaining() <= 0 ? Tone::kBad : Tone::kPlain),
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
  RETURN_IF_ERROR(
      connection.Call(connection.ledger(), &LedgerService::StubInterface::DeleteBudget, request)
          .status());
  invocation.output().Progress(absl::StrCat("removed ", request.name()));
  return ExitCode::kOk;
}

std::string GroupText(const ledger::v1::UsageRollup& rollup, const std::string& group) {
  const ledger::v1::ScopePath& scopes = rollup.scopes();
  if (group == "day") {
    return absl::FormatTime("%Y-%m-%d", rpc::FromProto(rollup.day_time()), absl::UTCTimeZone());
  }
  if (group == "project") return ShortName(scopes.project());
  if (group == "plan") return ShortName(scopes.plan());
  if (group == "task") return ShortName(scopes.task());
  if (group == "attempt") return ShortName(scopes.attempt());
  if (group == "role") return scopes.role();
  if (group == "provider") return rollup.provider();
  return rollup.model();
}

absl::StatusOr<ExitCode> Usage(const UsageOptions& options, Invocation& invocation) {
  ledger::v1::QueryUsageRequest request;
  ASSIGN_OR_RETURN(*request.mutable_scope(), MoneyScope(options.scope, invocation));
  const std::vector<std::string> groups = SplitList(options.by);
  for (const std::string& group : groups) request.add_group_by(group);
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(const auto usage, AllPages(connection, connection.ledger(),
                                              &LedgerService::StubInterface::QueryUsage, request,
                                              [](auto& page) { return page.mutable_rollups(); }));
  if (output.json()) {
    output.Json(usage);
    return ExitCode::kOk;
  }
  std::vector<TextTable::Column> columns;
  for (const std::string& group : groups) columns.push_back({absl::AsciiStrToUpper(group)});
  for (const char* const heading : {"CALLS", "INPUT", "OUTPUT", "COST", "OF IT ESTIMATED"}) {
    columns.push_back({heading, TextTable::Align::kRight});
  }
  TextTable table(columns);
  ledger::v1::UsageRollup sum;
  for (const ledger::v1::UsageRollup& rollup : usage.rollups()) {
    std::vector<Cell> row;
    for (const std::string& group : groups) row.emplace_back(GroupText(rollup, group));
    const ledger::v1::TokenCounts& tokens = rollup.tokens();
    row.emplace_back(CountText(rollup.calls()));
    row.emplace_back(CountText(tokens.input() + tokens.cache_read() + tokens.cache_write() +
                               tokens.cache_write_long()));
    row.emplace_back(CountText(tokens.output()));
    row.emplace_back(MoneyText(rollup.cost_usd_nanos()));
    row.emplace_back(rollup.estimated_usd_nanos() == 0 ? ""
                                                       : MoneyText(rollup.estimated_usd_nanos()));
    table.Add(std::move(row));
    sum.set_cost_usd_nanos(sum.cost_usd_nanos() + rollup.cost_usd_nanos());
    sum.set_calls(sum.calls() + rollup.calls());
  }
  output.Table(table);
  output.Line(
      absl::StrCat("total: ", CountText(sum.calls()), " calls, ", MoneyText(sum.cost_usd_nanos())));
  return ExitCode::kOk;
}

void AddBudget(CommandSet& commands) {
  CLI::App& group = commands.AddGroup("budget", "Limits on what may be spent");
  const auto set = std::make_shared<BudgetOptions>();
  CLI::App& set_command = commands.Add(
      "set", "Set or change a limit",
      Connected([set](Invocation& invocation) { return SetBudget(*set, invocation); }), &group);
  set_command
      .add_option("SCOPE", set->scope, "organisation, a project, a plan, a task, or a role's name")
      ->required();
  set_command.add_option("LIMIT", set->limit, "Dollars, or a count with --metric")->required();
  set_command.add_option("--metric", set->metric, "What is counted")
      ->check(CLI::IsMember({"usd", "tokens", "requests"}));
  set_command.add_option("--window", set->window, "Over which time")
      ->check(CLI::IsMember({"total", "month", "day"}));

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
}

}  // namespace

void AddMoneyCommands(CommandSet& commands) {
  AddBudget(commands);
  const auto usage = std::make_shared<UsageOptions>();
  CLI::App& usage_command = commands.Add(
      "usage", "Show what was spent",
      Connected([usage](Invocation& invocation) { return Usage(*usage, invocation); }));
  usage_command.add_option("SCOPE", usage->scope, "Only of this and what is below it");
  usage_command.add_option("--by", usage->by,
                           "Any of day,project,plan,task,attempt,role,provider,model");
}

}  // namespace slipway::cli
