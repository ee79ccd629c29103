#include "services/ledger/storage/audit_usage.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/window.h"
#include "services/ledger/storage/audit_sums.h"

namespace slipway::ledger {
namespace {

using sqlite::Reader;
using sqlite::Row;
using sqlite::Sql;

#define SLIPWAY_LEDGER_SUM_COLUMNS \
  "calls,input,cache_read,cache_write,cache_write_long,output,reasoning,searches,cost,estimated"
constexpr Sql kSelectDaySums = "SELECT " SLIPWAY_LEDGER_SUM_COLUMNS
                               ",day_us,project,plan,task,attempt,role,provider,model FROM rollup";
constexpr Sql kSelectPlanSums = "SELECT " SLIPWAY_LEDGER_SUM_COLUMNS
                                ",day_us,project,plan,'','',role,provider,model"
                                " FROM rollup_of_plan";
constexpr Sql kSelectMonthSums = "SELECT " SLIPWAY_LEDGER_SUM_COLUMNS
                                 ",month_us,project,'','','',role,provider,model"
                                 " FROM rollup_of_month";
constexpr Sql kSelectCharged =
    "SELECT usd,tokens,requests,day_us,project,plan,task,attempt,role FROM charged";

// Rows of a table of sums that are not what the finer one adds up to.
#define SLIPWAY_LEDGER_WRONG(name, columns, table, sums, finer)                                 \
  "SELECT '" name " of '||t FROM (SELECT json_array(" columns ") AS t FROM (SELECT " columns    \
  "," sums " FROM " table " EXCEPT SELECT * FROM (" finer ")) UNION SELECT json_array(" columns \
  ") FROM (SELECT * FROM (" finer ") EXCEPT SELECT " columns "," sums " FROM " table ")) LIMIT 20"
#define SLIPWAY_LEDGER_SUMMED                                                    \
  "SUM(calls) AS calls,SUM(input) AS input,SUM(cache_read) AS cache_read,"       \
  "SUM(cache_write) AS cache_write,SUM(cache_write_long) AS cache_write_long,"   \
  "SUM(output) AS output,SUM(reasoning) AS reasoning,SUM(searches) AS searches," \
  "SUM(cost) AS cost,SUM(estimated) AS estimated"
constexpr Sql kSelectWrongDays = SLIPWAY_LEDGER_WRONG(
    "rollup", "day_us,project,plan,task,attempt,role,provider,model", "rollup",
    SLIPWAY_LEDGER_SUM_COLUMNS,
    "SELECT record_time_us-record_time_us%86400000000 AS day_us,project,plan,task,attempt,role,"
    "provider,model,COUNT(*),SUM(input),SUM(cache_read),SUM(cache_write),SUM(cache_write_long),"
    "SUM(output),SUM(reasoning),SUM(searches),SUM(charged_usd),"
    "SUM(CASE WHEN basis=2 THEN charged_usd ELSE 0 END) FROM usage GROUP BY 1,2,3,4,5,6,7,8");
constexpr Sql kSelectWrongPlans = SLIPWAY_LEDGER_WRONG(
    "sums", "day_us,project,plan,role,provider,model", "rollup_of_plan", SLIPWAY_LEDGER_SUM_COLUMNS,
    "SELECT day_us,project,plan,role,provider,model," SLIPWAY_LEDGER_SUMMED
    " FROM rollup GROUP BY 1,2,3,4,5,6");
constexpr Sql kSelectWrongMonths = SLIPWAY_LEDGER_WRONG(
    "sums", "month_us,project,role,provider,model", "rollup_of_month", SLIPWAY_LEDGER_SUM_COLUMNS,
    "SELECT CAST(strftime('%s',day_us/1000000,'unixepoch','start of month') AS INTEGER)*1000000"
    " AS month_us,project,role,provider,model," SLIPWAY_LEDGER_SUMMED
    " FROM rollup GROUP BY 1,2,3,4,5");
constexpr Sql kSelectWrongCharged = SLIPWAY_LEDGER_WRONG(
    "charges", "day_us,project,plan,task,attempt,role", "charged", "usd,tokens,requests",
    "SELECT charge_time_us-charge_time_us%86400000000 AS day_us,project,plan,task,attempt,role,"
    "SUM(charged_usd),SUM(charged_tokens),SUM(charged_requests) FROM usage GROUP BY 1,2,3,4,5,6");

constexpr int kSums = 10;
constexpr int kCharges = 3;

std::string GroupOf(int64_t start_us, const ScopePath& scopes) {
  return absl::StrCat(start_us, "\n", scopes.project, "\n", scopes.plan, "\n", scopes.task, "\n",
                      absl::StrCat(scopes.attempt, "\n", scopes.role));
}

std::string GroupOf(int64_t start_us, const ScopePath& scopes, const std::string& provider,
                    const std::string& model) {
  return absl::StrCat(GroupOf(start_us, scopes), "\n", provider, "\n", model);
}

int64_t StartOf(Window window, absl::Time time) {
  return absl::ToUnixMicros(WindowStart(window, absl::UTCTimeZone(), time));
}

ScopePath ScopesOf(const Row& row, int first) {
  return {.project = row.Text(first),
          .plan = row.Text(first + 1),
          .task = row.Text(first + 2),
          .attempt = row.Text(first + 3),
          .role = row.Text(first + 4)};
}

// Compares a table with what it has to add up to.
absl::StatusOr<AuditCheck> CompareSums(Reader& reader, const char* invariant, int64_t calls,
                                       const Fingerprint& expected, Sql table, Sql wrong) {
  AuditCheck check = {.invariant = invariant, .checked = calls};
  Fingerprint found;
  RETURN_IF_ERROR(reader.ForEach(table, [&](const Row& row) {
    const std::string group = GroupOf(row.Int64(kSums), ScopesOf(row, kSums + 1),
                                      row.Text(kSums + 6), row.Text(kSums + 7));
    for (int i = 0; i < kSums; ++i) found.Add(group, i, row.Int64(i));
  }));
  if (found == expected) return check;
  RETURN_IF_ERROR(
      reader.ForEach(wrong, [&check](const Row& row) { AddBreach(check, row.Text(0)); }));
  if (check.breaches.empty()) AddBreach(check, "these sums are not those of usage");
  return check;
}

}  // namespace

void UsageSumsAudit::Add(const UsageRecord& usage) {
  ++calls_;
  const TokenCounts& tokens = usage.tokens;
  const int64_t cost = usage.charged.usd_nanos;
  const int64_t values[kSums] = {1,
                                 tokens.input,
                                 tokens.cache_read,
                                 tokens.cache_write,
                                 tokens.cache_write_long,
                                 tokens.output,
                                 tokens.reasoning,
                                 tokens.searches,
                                 cost,
                                 usage.basis == Basis::kEstimatedUpper ? cost : 0};
  ScopePath scopes = usage.scopes;
  const int64_t day_us = StartOf(Window::kDay, usage.record_time);
  const std::string of_day = GroupOf(day_us, scopes, usage.provider, usage.model);
  const std::string of_charge = GroupOf(StartOf(Window::kDay, usage.charge_time), scopes);
  scopes.task.clear();
  scopes.attempt.clear();
  const std::string of_plan = GroupOf(day_us, scopes, usage.provider, usage.model);
  scopes.plan.clear();
  const std::string of_month =
      GroupOf(StartOf(Window::kMonth, usage.record_time), scopes, usage.provider, usage.model);
  for (int i = 0; i < kSums; ++i) {
    by_day_.Add(of_day, i, values[i]);
    by_plan_.Add(of_plan, i, values[i]);
    by_month_.Add(of_month, i, values[i]);
  }
  for (int i = 0; i < kCharges; ++i) charged_.Add(of_charge, i, usage.charged.Of(kMetrics[i]));
}

absl::StatusOr<std::vector<AuditCheck>> UsageSumsAudit::Compare(Reader& reader) const {
  std::vector<AuditCheck> checks(3);
  ASSIGN_OR_RETURN(checks[0], CompareSums(reader, "I4 rollups equal usage", calls_, by_day_,
                                          kSelectDaySums, kSelectWrongDays));
  ASSIGN_OR_RETURN(checks[1], CompareSums(reader, "I4 sums of plans equal usage", calls_, by_plan_,
                                          kSelectPlanSums, kSelectWrongPlans));
  ASSIGN_OR_RETURN(checks[2], CompareSums(reader, "I4 sums of months equal usage", calls_,
                                          by_month_, kSelectMonthSums, kSelectWrongMonths));
  AuditCheck charges = {.invariant = "I4 charges by day equal usage", .checked = calls_};
  Fingerprint found;
  RETURN_IF_ERROR(reader.ForEach(kSelectCharged, [&](const Row& row) {
    const std::string group = GroupOf(row.Int64(kCharges), ScopesOf(row, kCharges + 1));
    for (int i = 0; i < kCharges; ++i) found.Add(group, i, row.Int64(i));
  }));
  if (!(found == charged_)) {
    RETURN_IF_ERROR(reader.ForEach(
        kSelectWrongCharged, [&charges](const Row& row) { AddBreach(charges, row.Text(0)); }));
    if (charges.breaches.empty()) AddBreach(charges, "these charges are not those of usage");
  }
  checks.push_back(std::move(charges));
  return checks;
}

}  // namespace slipway::ledger
