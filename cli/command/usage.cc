#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/client/pages.h"
#include "cli/command/money.h"
#include "cli/command/requests.h"
#include "cli/output/quantity_text.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::DispatcherService;
using ledger::v1::LedgerService;
using ledger::v1::UsageRollup;

// The task that carries out the integration of a plan: its merge is not a change of its own.
constexpr char kIntegrationTask[] = "integration";

struct UsageOptions {
  std::string scope;
  std::string by = "project";
  std::string since;
  std::string until;
};

struct Period {
  absl::Time start = absl::InfinitePast();
  absl::Time end = absl::InfiniteFuture();
};

// What a query found, and what it is divided by.
struct UsageReport {
  ledger::v1::QueryUsageResponse usage;
  int64_t calls = 0;
  int64_t cost_usd_nanos = 0;
  std::optional<int64_t> merged_changes;  // Absent where merges have no scope: a role, an attempt.

  // All that was spent for each change that was merged; rounded up.
  std::optional<int64_t> CostPerChange() const {
    if (merged_changes.value_or(0) == 0) return std::nullopt;
    return cost_usd_nanos / *merged_changes + (cost_usd_nanos % *merged_changes > 0 ? 1 : 0);
  }
};

std::string GroupText(const UsageRollup& rollup, const std::string& group) {
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

// The first `count` collections of a name: 2 of "projects/p/plans/n/tasks/t" is the plan.
std::string Ancestor(const std::string& name, int count) {
  size_t end = 0;
  for (int i = 0; i < 2 * count && end != std::string::npos; ++i) end = name.find('/', end + 1);
  return name.substr(0, end);
}

bool IsMergedIn(const dispatcher::v1::Task& task, const Period& period) {
  if (task.state() != dispatcher::v1::Task::STATE_MERGED) return false;
  if (LastId(task.name()) == kIntegrationTask) return false;
  const absl::Time time = rpc::FromProto(task.end_time());
  return time >= period.start && time < period.end;
}

absl::StatusOr<int64_t> MergedInPlan(const std::string& plan, const Period& period,
                                     Connection& connection) {
  dispatcher::v1::ListTasksRequest request;
  request.set_plan(plan);
  ASSIGN_OR_RETURN(const auto tasks, AllPages(connection, connection.dispatcher(),
                                              &DispatcherService::StubInterface::ListTasks, request,
                                              [](auto& page) { return page.mutable_tasks(); }));
  int64_t merged = 0;
  for (const dispatcher::v1::Task& task : tasks.tasks()) merged += IsMergedIn(task, period) ? 1 : 0;
  return merged;
}

// How many changes were merged in a scope; nothing for scopes that merges do not have. The ledger
// knows tasks and not merges, the dispatcher the reverse: they meet here.
absl::StatusOr<std::optional<int64_t>> MergedChanges(const std::string& scope, const Period& period,
                                                     Connection& connection) {
  if (scope.find("/roles/") != std::string::npos || scope.find("/attempts/") != std::string::npos) {
    return std::nullopt;
  }
  if (scope.find("/tasks/") != std::string::npos) {
    ASSIGN_OR_RETURN(const dispatcher::v1::Task task, GetTask(connection, scope));
    return IsMergedIn(task, period) ? 1 : 0;
  }
  if (scope.find("/plans/") != std::string::npos) {
    return MergedInPlan(Ancestor(scope, 2), period, connection);
  }
  dispatcher::v1::ListRunsRequest request;
  request.set_project(scope == "organisation" ? "" : scope);
  ASSIGN_OR_RETURN(const auto runs, AllPages(connection, connection.dispatcher(),
                                             &DispatcherService::StubInterface::ListRuns, request,
                                             [](auto& page) { return page.mutable_runs(); }));
  int64_t merged = 0;
  for (const dispatcher::v1::Run& run : runs.runs()) {
    if (run.tasks_by_state().count("MERGED") == 0) continue;
    ASSIGN_OR_RETURN(const int64_t of_run, MergedInPlan(run.plan(), period, connection));
    merged += of_run;
  }
  return merged;
}

absl::StatusOr<UsageReport> ReadUsage(const UsageOptions& options,
                                      const std::vector<std::string>& groups,
                                      Invocation& invocation) {
  Connection& connection = invocation.connection();
  Period period;
  ledger::v1::QueryUsageRequest request;
  ASSIGN_OR_RETURN(*request.mutable_scope(), MoneyScope(options.scope, invocation));
  if (!options.since.empty()) {
    ASSIGN_OR_RETURN(period.start, ParseWhen(options.since));
    *request.mutable_start_time() = rpc::ToProto(period.start);
  }
  if (!options.until.empty()) {
    ASSIGN_OR_RETURN(period.end, ParseWhen(options.until));
    *request.mutable_end_time() = rpc::ToProto(period.end);
  }
  for (const std::string& group : groups) request.add_group_by(group);
  UsageReport report;
  ASSIGN_OR_RETURN(report.usage, AllPages(connection, connection.ledger(),
                                          &LedgerService::StubInterface::QueryUsage, request,
                                          [](auto& page) { return page.mutable_rollups(); }));
  for (const UsageRollup& rollup : report.usage.rollups()) {
    report.calls += rollup.calls();
    report.cost_usd_nanos += rollup.cost_usd_nanos();
  }
  // Money that was spent can be told without the dispatcher, too.
  absl::StatusOr<std::optional<int64_t>> merged =
      MergedChanges(request.scope(), period, connection);
  if (merged.ok()) report.merged_changes = *merged;
  return report;
}

void PrintJson(const UsageReport& report, Output& output) {
  nlohmann::json json = nlohmann::json::parse(JsonText(report.usage), nullptr, false);
  if (report.merged_changes.has_value()) {
    json["merged_changes"] = std::to_string(*report.merged_changes);
  }
  if (const std::optional<int64_t> cost = report.CostPerChange()) {
    json["cost_per_merged_change_usd_nanos"] = std::to_string(*cost);
  }
  output.Line(json.dump());
}

void PrintTable(const UsageReport& report, const std::vector<std::string>& groups, Output& output) {
  std::vector<TextTable::Column> columns;
  for (const std::string& group : groups) columns.push_back({absl::AsciiStrToUpper(group)});
  for (const char* const heading :
       {"CALLS", "INPUT", "CACHED", "OUTPUT", "COST", "OF IT ESTIMATED"}) {
    columns.push_back({heading, TextTable::Align::kRight});
  }
  TextTable table(columns);
  for (const UsageRollup& rollup : report.usage.rollups()) {
    std::vector<Cell> row;
    for (const std::string& group : groups) row.emplace_back(GroupText(rollup, group));
    const ledger::v1::TokenCounts& tokens = rollup.tokens();
    row.emplace_back(CountText(rollup.calls()));
    row.emplace_back(CountText(tokens.input() + tokens.cache_read() + tokens.cache_write() +
                               tokens.cache_write_long()));
    row.emplace_back(CountText(tokens.cache_read()));
    row.emplace_back(CountText(tokens.output()));
    row.emplace_back(MoneyText(rollup.cost_usd_nanos()));
    row.emplace_back(rollup.estimated_usd_nanos() == 0 ? ""
                                                       : MoneyText(rollup.estimated_usd_nanos()));
    table.Add(std::move(row));
  }
  output.Table(table);
  output.Line(absl::StrCat("total: ", CountText(report.calls), " calls, ",
                           MoneyText(report.cost_usd_nanos)));
  if (!report.merged_changes.has_value()) return;
  const std::optional<int64_t> cost = report.CostPerChange();
  output.Line(absl::StrCat(CountText(*report.merged_changes), " merged changes",
                           cost.has_value() ? absl::StrCat(", ", MoneyText(*cost), " each") : ""));
}

absl::StatusOr<ExitCode> Usage(const UsageOptions& options, Invocation& invocation) {
  const std::vector<std::string> groups = SplitList(options.by);
  ASSIGN_OR_RETURN(const UsageReport report, ReadUsage(options, groups, invocation));
  if (invocation.output().json()) {
    PrintJson(report, invocation.output());
  } else {
    PrintTable(report, groups, invocation.output());
  }
  return ExitCode::kOk;
}

}  // namespace

void AddUsageCommand(CommandSet& commands) {
  const auto usage = std::make_shared<UsageOptions>();
  CLI::App& command = commands.Add(
      "usage", "Show what was spent, and what a merged change costs",
      Connected([usage](Invocation& invocation) { return Usage(*usage, invocation); }));
  command.add_option("SCOPE", usage->scope, "Only of this and what is below it");
  command.add_option("--by", usage->by, "Any of day,project,plan,task,attempt,role,provider,model");
  command.add_option("--since", usage->since, "Only from this date or time on, such as 2026-11-01");
  command.add_option("--until", usage->until, "Only before this date or time");
}

}  // namespace slipway::cli
