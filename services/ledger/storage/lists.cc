#include "services/ledger/storage/lists.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/storage/rows.h"

namespace slipway::ledger {
namespace {

using sqlite::Reader;
using sqlite::Row;
using sqlite::Sql;

// Parameters 1 to 5 filter by scope.
#define SLIPWAY_LEDGER_IN_SCOPE                                         \
  "(?1='' OR project=?1) AND (?2='' OR plan=?2) AND (?3='' OR task=?3)" \
  " AND (?4='' OR attempt=?4) AND (?5='' OR role=?5)"

constexpr Sql kSelectReservations =
    "SELECT " SLIPWAY_LEDGER_RESERVATION_COLUMNS " FROM reservation WHERE " SLIPWAY_LEDGER_IN_SCOPE
    " AND (?6='' OR owner=?6) AND sequence<?7 AND (?9=0 OR owner_epoch<?9)"
    " ORDER BY sequence DESC LIMIT ?8";
constexpr Sql kSelectReservationsInState =
    "SELECT " SLIPWAY_LEDGER_RESERVATION_COLUMNS " FROM reservation WHERE " SLIPWAY_LEDGER_IN_SCOPE
    " AND (?6='' OR owner=?6) AND sequence<?7 AND (?9=0 OR owner_epoch<?9) AND state=?10"
    " ORDER BY sequence DESC LIMIT ?8";
constexpr Sql kSelectUsage =
    "SELECT " SLIPWAY_LEDGER_USAGE_COLUMNS " FROM usage WHERE " SLIPWAY_LEDGER_IN_SCOPE
    " AND sequence>?6 ORDER BY sequence LIMIT ?7";
constexpr Sql kSelectBudgets = "SELECT " SLIPWAY_LEDGER_BUDGET_COLUMNS
                               " FROM budget WHERE spend_limit IS NOT NULL"
                               " AND (?1='' OR scope=?1 OR substr(scope,1,length(?1)+1)=?1||'/')"
                               " AND (scope,metric,budget_window)>(?2,?3,?4)"
                               " ORDER BY scope,metric,budget_window LIMIT ?5";
constexpr Sql kSelectBucket =
    "SELECT " SLIPWAY_LEDGER_BUCKET_COLUMNS " FROM bucket WHERE budget=? AND window_start_us=?";
constexpr Sql kSelectBudget =
    "SELECT " SLIPWAY_LEDGER_BUDGET_COLUMNS " FROM budget WHERE id=? AND spend_limit IS NOT NULL";
#define SLIPWAY_LEDGER_DAYS(table)                                                         \
  "SELECT day_us,SUM(CASE ?6 WHEN 1 THEN cost WHEN 2 THEN input+cache_read+cache_write"    \
  "+cache_write_long+output ELSE calls END) FROM " table " WHERE " SLIPWAY_LEDGER_IN_SCOPE \
  " AND day_us>=?7 GROUP BY day_us ORDER BY day_us DESC LIMIT ?8"
#define SLIPWAY_LEDGER_PLANS                                                               \
  "SELECT day_us,project,plan,'' AS task,'' AS attempt,role,provider,model,calls,input,"   \
  "cache_read,cache_write,cache_write_long,output,reasoning,searches,cost,estimated FROM " \
  "rollup_of_plan"
constexpr Sql kSumDays = SLIPWAY_LEDGER_DAYS("(" SLIPWAY_LEDGER_PLANS ")");
// For a budget of a task or an attempt.
constexpr Sql kSumDaysBelowPlan =
    SLIPWAY_LEDGER_DAYS("(SELECT * FROM rollup INDEXED BY rollup_by_plan WHERE plan=?2)");
constexpr Sql kSumReserved =
    "SELECT COALESCE(SUM(held_usd-MIN(settled_usd,held_usd)),0) FROM reservation"
    " WHERE state=1 AND drawing=0";
constexpr Sql kSelectFrozen = "SELECT " SLIPWAY_LEDGER_FROZEN_COLUMNS
                              " FROM frozen_scope WHERE scope>? ORDER BY scope LIMIT ?";
constexpr Sql kSelectPrices =
    "SELECT " SLIPWAY_LEDGER_PRICE_COLUMNS
    " FROM price WHERE (?1='' OR provider=?1) AND (?2='' OR model=?2)"
    " AND (provider,model,service_tier,effective_us,threshold)>(?3,?4,?5,?6,?7)"
    " ORDER BY provider,model,service_tier,effective_us,threshold LIMIT ?8";

// Sums in groups: parameters 8 to 15 say which columns to group by, 16 to 23 where to go on.
#define SLIPWAY_LEDGER_SUMS(day, time, calls, cost, estimated, table)                        \
  "SELECT * FROM (SELECT CASE WHEN ?8 THEN " day                                             \
  " ELSE 0 END AS g1,"                                                                       \
  "CASE WHEN ?9 THEN project ELSE '' END AS g2,CASE WHEN ?10 THEN plan ELSE '' END AS g3,"   \
  "CASE WHEN ?11 THEN task ELSE '' END AS g4,CASE WHEN ?12 THEN attempt ELSE '' END AS g5,"  \
  "CASE WHEN ?13 THEN role ELSE '' END AS g6,CASE WHEN ?14 THEN provider ELSE '' END AS g7," \
  "CASE WHEN ?15 THEN model ELSE '' END AS g8,"                                              \
  "SUM(" calls                                                                               \
  "),SUM(input),SUM(cache_read),SUM(cache_write),SUM(cache_write_long),"                     \
  "SUM(output),SUM(reasoning),SUM(searches),SUM(" cost "),SUM(" estimated ") FROM " table    \
  " WHERE " SLIPWAY_LEDGER_IN_SCOPE " AND " time ">=?6 AND " time                            \
  "<?7"                                                                                      \
  " GROUP BY g1,g2,g3,g4,g5,g6,g7,g8)"                                                       \
  " WHERE (g1,g2,g3,g4,g5,g6,g7,g8)>(?16,?17,?18,?19,?20,?21,?22,?23)"                       \
  " ORDER BY g1,g2,g3,g4,g5,g6,g7,g8 LIMIT ?24"
#define SLIPWAY_LEDGER_DAY_SUMS(table) \
  SLIPWAY_LEDGER_SUMS("day_us", "day_us", "calls", "cost", "estimated", "(" table ")")
// The rows of `table` that a page needs which goes by `name` first: those of the first names, each
// of which has at least one group, after the one (parameter `from`) that the page before ended in.
#define SLIPWAY_LEDGER_OF_FIRST(columns, index, name, from)                                  \
  columns " INDEXED BY " index " WHERE " name " IN (SELECT DISTINCT " name " FROM (" columns \
          " INDEXED BY " index ") WHERE " name ">=" from " AND " SLIPWAY_LEDGER_IN_SCOPE     \
          " AND day_us>=?6 AND day_us<?7 ORDER BY " name " LIMIT ?24+1)"
// The same of one project, parameter 1, whose names all begin with its own and a slash; a "0" is
// what comes after a slash. What has no such name is read by the way.
#define SLIPWAY_LEDGER_OF_FIRST_IN_PROJECT(columns, index, name, from)                           \
  columns " INDEXED BY " index " WHERE " name                                                    \
          " IN (SELECT '' UNION ALL SELECT * FROM (SELECT"                                       \
          " DISTINCT " name " FROM (" columns " INDEXED BY " index ") WHERE " name ">=MAX(" from \
          ",?1||'/') AND " name "<?1||'0' AND " SLIPWAY_LEDGER_IN_SCOPE                          \
          " AND day_us>=?6 AND day_us<?7 ORDER BY " name " LIMIT ?24+1))"
constexpr Sql kSumRollups = SLIPWAY_LEDGER_DAY_SUMS("SELECT * FROM rollup");
constexpr Sql kSumRollupsBelowPlan =
    SLIPWAY_LEDGER_DAY_SUMS("SELECT * FROM rollup INDEXED BY rollup_by_plan WHERE plan=?2");
constexpr Sql kSumTasks = SLIPWAY_LEDGER_DAY_SUMS(
    SLIPWAY_LEDGER_OF_FIRST("SELECT * FROM rollup", "rollup_by_task", "task", "?19"));
constexpr Sql kSumAttempts = SLIPWAY_LEDGER_DAY_SUMS(
    SLIPWAY_LEDGER_OF_FIRST("SELECT * FROM rollup", "rollup_by_attempt", "attempt", "?20"));
constexpr Sql kSumTasksByPlan = SLIPWAY_LEDGER_DAY_SUMS(
    SLIPWAY_LEDGER_OF_FIRST("SELECT * FROM rollup", "rollup_by_plan", "plan", "?18"));
constexpr Sql kSumTasksOfProject = SLIPWAY_LEDGER_DAY_SUMS(
    SLIPWAY_LEDGER_OF_FIRST_IN_PROJECT("SELECT * FROM rollup", "rollup_by_task", "task", "?19"));
constexpr Sql kSumAttemptsOfProject = SLIPWAY_LEDGER_DAY_SUMS(SLIPWAY_LEDGER_OF_FIRST_IN_PROJECT(
    "SELECT * FROM rollup", "rollup_by_attempt", "attempt", "?20"));
constexpr Sql kSumTasksByPlanOfProject = SLIPWAY_LEDGER_DAY_SUMS(
    SLIPWAY_LEDGER_OF_FIRST_IN_PROJECT("SELECT * FROM rollup", "rollup_by_plan", "plan", "?18"));
constexpr Sql kSumPlansOfProject = SLIPWAY_LEDGER_DAY_SUMS(SLIPWAY_LEDGER_OF_FIRST_IN_PROJECT(
    SLIPWAY_LEDGER_PLANS, "rollup_of_plan_by_plan", "plan", "?18"));
constexpr Sql kSelectProjects =
    "SELECT DISTINCT project FROM rollup_of_month WHERE (?1='' OR project=?1) AND project>=?2"
    " ORDER BY project";
// For questions that ask for neither tasks nor attempts.
constexpr Sql kSumPlan = SLIPWAY_LEDGER_DAY_SUMS(SLIPWAY_LEDGER_PLANS
                                                 " INDEXED BY rollup_of_plan_by_plan"
                                                 " WHERE plan=?2");
constexpr Sql kSumPlansByName = SLIPWAY_LEDGER_DAY_SUMS(
    SLIPWAY_LEDGER_OF_FIRST(SLIPWAY_LEDGER_PLANS, "rollup_of_plan_by_plan", "plan", "?18"));
constexpr Sql kSumPlansByDay = SLIPWAY_LEDGER_DAY_SUMS(
    SLIPWAY_LEDGER_PLANS " WHERE day_us IN (SELECT DISTINCT day_us FROM (" SLIPWAY_LEDGER_PLANS
                         ") WHERE day_us>=?16 AND " SLIPWAY_LEDGER_IN_SCOPE
                         " AND day_us>=?6 AND day_us<?7 ORDER BY day_us LIMIT ?24+1)");
// For questions that ask for neither days nor plans: whole months, from parameter 25 up to 26, and
// the days around them.
constexpr Sql kSumMonths = SLIPWAY_LEDGER_DAY_SUMS(
    "SELECT month_us AS day_us,project,'' AS plan,'' AS task,'' AS attempt,role,provider,model,"
    "calls,input,cache_read,cache_write,cache_write_long,output,reasoning,searches,cost,estimated"
    " FROM rollup_of_month WHERE month_us>=?25 AND month_us<?26"
    " UNION ALL " SLIPWAY_LEDGER_PLANS
    " WHERE day_us<?25"
    " UNION ALL " SLIPWAY_LEDGER_PLANS " WHERE day_us>=?26");
// For times that are not whole days of UTC.
constexpr Sql kSumUsage =
    SLIPWAY_LEDGER_SUMS("record_time_us-record_time_us%86400000000", "record_time_us", "1",
                        "charged_usd", "CASE WHEN basis=2 THEN charged_usd ELSE 0 END", "usage");
constexpr Sql kSelectDays =
    "SELECT COALESCE(MIN(day_us),0),COALESCE(MAX(day_us),-1) FROM rollup_of_plan";

constexpr int64_t kBeforeAll = INT64_MIN;

absl::StatusOr<ScopePath> ParseFilter(const std::string& scope) {
  if (scope.empty()) return ScopePath();
  return ParseScope(scope);
}

template <typename T>
struct Numbered {
  int64_t sequence = 0;
  T value;
};

// Of `limit`+1 rows that were read: the page, and the token of the last that is on it.
template <typename T>
Page<T> Cut(std::vector<Numbered<T>> rows, int limit) {
  Page<T> page;
  if (static_cast<int>(rows.size()) > limit) {
    rows.resize(static_cast<size_t>(limit));
    page.next_token = EncodeNumber(rows.back().sequence);
  }
  for (Numbered<T>& row : rows) page.items.push_back(std::move(row.value));
  return page;
}

absl::StatusOr<Numbered<Reservation>> ReadNumberedReservation(const Row& row) {
  ASSIGN_OR_RETURN(Reservation reservation, ReadReservation(row));
  return Numbered<Reservation>{row.Int64(0), std::move(reservation)};
}

Numbered<UsageRecord> ReadNumberedUsage(const Row& row) { return {row.Int64(0), ReadUsage(row)}; }

UsageRollup ReadRollup(const Row& row) {
  return {.day = row.Time(0),
          .scopes = {.project = row.Text(1),
                     .plan = row.Text(2),
                     .task = row.Text(3),
                     .attempt = row.Text(4),
                     .role = row.Text(5)},
          .provider = row.Text(6),
          .model = row.Text(7),
          .calls = row.Int64(8),
          .tokens = {.input = row.Int64(9),
                     .cache_read = row.Int64(10),
                     .cache_write = row.Int64(11),
                     .cache_write_long = row.Int64(12),
                     .output = row.Int64(13),
                     .reasoning = row.Int64(14),
                     .searches = row.Int64(15)},
          .cost_usd_nanos = row.Int64(16),
          .estimated_usd_nanos = row.Int64(17)};
}

bool IsDayStart(absl::Time time) {
  return time == absl::InfinitePast() || time == absl::InfiniteFuture() ||
         WindowStart(Window::kDay, absl::UTCTimeZone(), time) == time;
}

int64_t MicrosOf(absl::Time time) {
  if (time == absl::InfinitePast()) return INT64_MIN;
  if (time == absl::InfiniteFuture()) return INT64_MAX;
  return absl::ToUnixMicros(time);
}

}  // namespace

absl::StatusOr<Page<Reservation>> SelectReservations(Reader& reader,
                                                     const ReservationFilter& filter,
                                                     const PageRequest& page) {
  ASSIGN_OR_RETURN(const ScopePath scope, ParseFilter(filter.scope));
  ASSIGN_OR_RETURN(const int limit, PageSize(page));
  ASSIGN_OR_RETURN(const int64_t before, DecodeNumber(page.token, INT64_MAX));
  absl::StatusOr<std::vector<Numbered<Reservation>>> rows;
  if (filter.state.has_value()) {
    rows = reader.Query(kSelectReservationsInState, ReadNumberedReservation, scope.project,
                        scope.plan, scope.task, scope.attempt, scope.role, filter.owner, before,
                        limit + 1, filter.owner_epoch_before, static_cast<int>(*filter.state));
  } else {
    rows = reader.Query(kSelectReservations, ReadNumberedReservation, scope.project, scope.plan,
                        scope.task, scope.attempt, scope.role, filter.owner, before, limit + 1,
                        filter.owner_epoch_before);
  }
  RETURN_IF_ERROR(rows.status());
  return Cut(*std::move(rows), limit);
}

absl::StatusOr<Page<UsageRecord>> SelectUsage(Reader& reader, const std::string& scope_name,
                                              const PageRequest& page) {
  ASSIGN_OR_RETURN(const ScopePath scope, ParseFilter(scope_name));
  ASSIGN_OR_RETURN(const int limit, PageSize(page));
  ASSIGN_OR_RETURN(const int64_t after, DecodeNumber(page.token, 0));
  ASSIGN_OR_RETURN(std::vector<Numbered<UsageRecord>> rows,
                   reader.Query(kSelectUsage, ReadNumberedUsage, scope.project, scope.plan,
                                scope.task, scope.attempt, scope.role, after, limit + 1));
  return Cut(std::move(rows), limit);
}

absl::StatusOr<Page<Balance>> SelectBalances(Reader& reader, const std::string& scope,
                                             absl::Time now, const PageRequest& page) {
  RETURN_IF_ERROR(ParseFilter(scope).status());
  ASSIGN_OR_RETURN(const int limit, PageSize(page));
  ASSIGN_OR_RETURN(std::vector<std::string> after, DecodePosition(page.token, 3));
  if (page.token.empty()) after = {"", "0", "0"};
  ASSIGN_OR_RETURN(const int64_t metric, NumberOf(after[1]));
  ASSIGN_OR_RETURN(const int64_t window, NumberOf(after[2]));
  ASSIGN_OR_RETURN(std::vector<Budget> budgets,
                   reader.Query(kSelectBudgets, ReadBudget, scope == kOrganisation ? "" : scope,
                                after[0], metric, window, limit + 1));
  Page<Balance> balances;
  if (static_cast<int>(budgets.size()) > limit) {
    budgets.resize(static_cast<size_t>(limit));
    const Budget& last = budgets.back();
    balances.next_token = EncodePosition({last.scope, absl::StrCat(static_cast<int>(last.metric)),
                                          absl::StrCat(static_cast<int>(last.window))});
  }
  for (Budget& budget : budgets) {
    const absl::Time window_start = budget.WindowStartAt(now);
    ASSIGN_OR_RETURN(std::optional<Bucket> bucket,
                     reader.FindOne(kSelectBucket, ReadBucket, budget.id, window_start));
    if (!bucket.has_value()) bucket = Bucket{.budget = budget.id, .window_start = window_start};
    balances.items.push_back({std::move(budget), *std::move(bucket), now});
  }
  return balances;
}

absl::StatusOr<int64_t> SelectReservedUsd(Reader& reader) {
  return reader.QueryOne(kSumReserved, [](const Row& row) { return row.Int64(0); });
}

absl::StatusOr<BudgetHistory> SelectBudgetHistory(Reader& reader, const std::string& id,
                                                  absl::Time now) {
  constexpr int kDaysMax = 92;  // A quarter; a month window has 31.
  ASSIGN_OR_RETURN(std::optional<Budget> budget, reader.FindOne(kSelectBudget, ReadBudget, id));
  if (!budget.has_value()) return BudgetUnknown(id);
  const absl::Time window_start = budget->WindowStartAt(now);
  ASSIGN_OR_RETURN(std::optional<Bucket> bucket,
                   reader.FindOne(kSelectBucket, ReadBucket, id, window_start));
  if (!bucket.has_value()) bucket = Bucket{.budget = id, .window_start = window_start};
  const ScopePath& path = budget->path;
  const absl::Time first_day = WindowStart(Window::kDay, absl::UTCTimeZone(), window_start);
  BudgetHistory history;
  const bool of_task = !path.task.empty() || !path.attempt.empty();
  ASSIGN_OR_RETURN(history.days, reader.Query(
                                     of_task ? kSumDaysBelowPlan : kSumDays,
                                     [](const Row& row) -> SpendDay {
                                       return {.day = row.Time(0), .spent = row.Int64(1)};
                                     },
                                     path.project, path.plan, path.task, path.attempt, path.role,
                                     static_cast<int>(budget->metric), first_day, kDaysMax));
  std::reverse(history.days.begin(), history.days.end());
  history.balance = {*std::move(budget), *std::move(bucket), now};
  return history;
}

absl::StatusOr<Page<FrozenScope>> SelectFrozen(Reader& reader, const PageRequest& page) {
  ASSIGN_OR_RETURN(const int limit, PageSize(page));
  ASSIGN_OR_RETURN(const std::vector<std::string> after, DecodePosition(page.token, 1));
  Page<FrozenScope> result;
  ASSIGN_OR_RETURN(result.items, reader.Query(kSelectFrozen, ReadFrozenScope, after[0], limit + 1));
  if (static_cast<int>(result.items.size()) > limit) {
    result.items.resize(static_cast<size_t>(limit));
    result.next_token = EncodePosition({result.items.back().scope});
  }
  return result;
}

namespace {

// A question for sums of usage, ready to be asked.
struct SumsQuestion {
  ScopePath scope;
  UsageGroups groups;
  int64_t start_us = 0;
  int64_t end_us = 0;
  int64_t after_day = kBeforeAll;
  std::vector<std::string> after;  // The group that the page before ended in.
  int rows_max = 0;
};

constexpr int64_t kDayMicros = 86'400'000'000;

// From the month that begins at or after `from_us`; INT64_MIN for the beginning of time.
int64_t MonthFrom(int64_t from_us) {
  if (from_us == INT64_MIN) return INT64_MIN;
  const absl::Time from = absl::FromUnixMicros(from_us);
  const absl::Time month = WindowStart(Window::kMonth, absl::UTCTimeZone(), from);
  return absl::ToUnixMicros(month == from ? from
                                          : WindowEnd(Window::kMonth, absl::UTCTimeZone(), from));
}

int64_t MonthUntil(int64_t until_us) {
  if (until_us == INT64_MAX) return INT64_MAX;
  return absl::ToUnixMicros(
      WindowStart(Window::kMonth, absl::UTCTimeZone(), absl::FromUnixMicros(until_us)));
}

template <typename... More>
absl::StatusOr<std::vector<UsageRollup>> Ask(Reader& reader, Sql sql, const SumsQuestion& question,
                                             const More&... more) {
  const ScopePath& scope = question.scope;
  const UsageGroups& groups = question.groups;
  const std::vector<std::string>& after = question.after;
  return reader.Query(sql, ReadRollup, scope.project, scope.plan, scope.task, scope.attempt,
                      scope.role, question.start_us, question.end_us, groups.day ? 1 : 0,
                      groups.project ? 1 : 0, groups.plan ? 1 : 0, groups.task ? 1 : 0,
                      groups.attempt ? 1 : 0, groups.role ? 1 : 0, groups.provider ? 1 : 0,
                      groups.model ? 1 : 0, question.after_day, after[1], after[2], after[3],
                      after[4], after[5], after[6], after[7], question.rows_max, more...);
}

// By name within each project, until the page is full.
absl::StatusOr<std::vector<UsageRollup>> AskProjectByProject(Reader& reader, Sql sql,
                                                             const SumsQuestion& question) {
  ASSIGN_OR_RETURN(const std::vector<std::string> projects,
                   reader.Query(
                       kSelectProjects, [](const Row& row) { return row.Text(0); },
                       question.scope.project, question.after[1]));
  std::vector<UsageRollup> rows;
  SumsQuestion of_project = question;
  for (const std::string& project : projects) {
    if (of_project.rows_max <= 0) break;
    of_project.scope.project = project;
    of_project.after = project == question.after[1]
                           ? question.after
                           : std::vector<std::string>(question.after.size());
    ASSIGN_OR_RETURN(std::vector<UsageRollup> found, Ask(reader, sql, of_project));
    of_project.rows_max -= static_cast<int>(found.size());
    std::move(found.begin(), found.end(), std::back_inserter(rows));
  }
  return rows;
}

absl::StatusOr<std::vector<UsageRollup>> AskForPlans(Reader& reader, const SumsQuestion& question) {
  const UsageGroups& groups = question.groups;
  if (!question.scope.plan.empty()) return Ask(reader, kSumPlan, question);
  if (groups.day) return Ask(reader, kSumPlansByDay, question);
  if (groups.plan && groups.project) {
    return AskProjectByProject(reader, kSumPlansOfProject, question);
  }
  if (groups.plan) return Ask(reader, kSumPlansByName, question);
  int64_t first_month = MonthFrom(question.start_us);
  int64_t end_month = MonthUntil(question.end_us);
  if (first_month >= end_month) first_month = end_month = question.end_us;  // Days alone.
  return Ask(reader, kSumMonths, question, first_month, end_month);
}

// Day by day, until the page is full.
absl::StatusOr<std::vector<UsageRollup>> AskForTasksByDay(Reader& reader,
                                                          const SumsQuestion& question) {
  using Days = std::pair<int64_t, int64_t>;
  ASSIGN_OR_RETURN(const Days days, reader.QueryOne(kSelectDays, [](const Row& row) {
    return Days(row.Int64(0), row.Int64(1));
  }));
  std::vector<UsageRollup> rows;
  SumsQuestion of_day = question;
  const int64_t end = std::min(question.end_us, days.second + 1);
  int64_t day = std::max({days.first, question.start_us, question.after_day});
  for (; day < end && of_day.rows_max > 0; day += kDayMicros) {
    of_day.start_us = day;
    of_day.end_us = day + kDayMicros;
    ASSIGN_OR_RETURN(std::vector<UsageRollup> found, Ask(reader, kSumRollups, of_day));
    of_day.rows_max -= static_cast<int>(found.size());
    std::move(found.begin(), found.end(), std::back_inserter(rows));
  }
  return rows;
}

absl::StatusOr<std::vector<UsageRollup>> AskForTasks(Reader& reader, const SumsQuestion& question) {
  const UsageGroups& groups = question.groups;
  if (!question.scope.plan.empty()) return Ask(reader, kSumRollupsBelowPlan, question);
  if (groups.day) return AskForTasksByDay(reader, question);
  if (groups.project) {
    return AskProjectByProject(reader,
                               groups.plan   ? kSumTasksByPlanOfProject
                               : groups.task ? kSumTasksOfProject
                                             : kSumAttemptsOfProject,
                               question);
  }
  if (groups.plan) return Ask(reader, kSumTasksByPlan, question);
  return Ask(reader, groups.task ? kSumTasks : kSumAttempts, question);
}

}  // namespace

absl::StatusOr<Page<UsageRollup>> SelectRollups(Reader& reader, const UsageFilter& filter,
                                                const UsageGroups& groups,
                                                const PageRequest& page) {
  constexpr size_t kGroups = 8;
  ASSIGN_OR_RETURN(const int limit, PageSize(page));
  SumsQuestion question = {.groups = groups,
                           .start_us = MicrosOf(filter.start),
                           .end_us = MicrosOf(filter.end),
                           .rows_max = limit + 1};
  ASSIGN_OR_RETURN(question.scope, ParseFilter(filter.scope));
  ASSIGN_OR_RETURN(question.after, DecodePosition(page.token, kGroups));
  if (!page.token.empty()) {
    ASSIGN_OR_RETURN(question.after_day, NumberOf(question.after[0]));
  }
  const bool whole_days = IsDayStart(filter.start) && IsDayStart(filter.end);
  const bool of_tasks = groups.task || groups.attempt || !question.scope.task.empty() ||
                        !question.scope.attempt.empty();
  ASSIGN_OR_RETURN(std::vector<UsageRollup> rows, !whole_days ? Ask(reader, kSumUsage, question)
                                                  : of_tasks  ? AskForTasks(reader, question)
                                                              : AskForPlans(reader, question));
  Page<UsageRollup> result;
  if (static_cast<int>(rows.size()) > limit) {
    rows.resize(static_cast<size_t>(limit));
    const UsageRollup& last = rows.back();
    result.next_token = EncodePosition(
        {absl::StrCat(absl::ToUnixMicros(*last.day)), last.scopes.project, last.scopes.plan,
         last.scopes.task, last.scopes.attempt, last.scopes.role, last.provider, last.model});
  }
  for (UsageRollup& row : rows) {
    if (!groups.day) row.day.reset();
  }
  result.items = std::move(rows);
  return result;
}

absl::StatusOr<Page<Price>> SelectPrices(Reader& reader, const PriceFilter& filter,
                                         const PageRequest& page) {
  ASSIGN_OR_RETURN(const int limit, PageSize(page));
  ASSIGN_OR_RETURN(std::vector<std::string> after, DecodePosition(page.token, 5));
  int64_t after_time = kBeforeAll;
  int64_t after_threshold = kBeforeAll;
  if (!page.token.empty()) {
    ASSIGN_OR_RETURN(after_time, NumberOf(after[3]));
    ASSIGN_OR_RETURN(after_threshold, NumberOf(after[4]));
  }
  Page<Price> result;
  ASSIGN_OR_RETURN(result.items,
                   reader.Query(kSelectPrices, ReadPrice, filter.provider, filter.model, after[0],
                                after[1], after[2], after_time, after_threshold, limit + 1));
  if (static_cast<int>(result.items.size()) > limit) {
    result.items.resize(static_cast<size_t>(limit));
    const Price& last = result.items.back();
    result.next_token = EncodePosition({last.provider, last.model, last.service_tier,
                                        absl::StrCat(absl::ToUnixMicros(last.effective_time)),
                                        absl::StrCat(last.context_threshold_tokens)});
  }
  return result;
}

}  // namespace slipway::ledger
