#include "tools/bench/ledger_scale.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/events/event_log.h"
#include "lib/rpc/client_call.h"
#include "lib/sqlite/database.h"
#include "services/ledger/storage/change_writer.h"
#include "services/ledger/storage/schema.h"
#include "tools/bench/ledger_client.h"
#include "tools/bench/server_process.h"

namespace slipway::bench {
namespace {

namespace pb = ledger::v1;
using Stub = LedgerClient::Stub;

constexpr int64_t kRowsOfTransaction = 50'000;
constexpr int64_t kDays = 365;
constexpr int64_t kProjects = 20;
constexpr int64_t kRowsOfPlan = 2'000;  // A day's work of one plan.
constexpr int64_t kTasksOfPlan = 20;
constexpr int kRepeats = 5;
constexpr const char* kRoles[] = {"builder", "critic", "planner"};
constexpr const char* kModels[] = {"large", "small", "local"};

// The calls of a year: plan after plan, each of one day, its tasks and roles mixed.
ledger::UsageRecord RecordOf(int64_t row, int64_t rows, std::mt19937_64& random) {
  const int64_t plan = row / kRowsOfPlan;
  const int64_t project = plan % kProjects;
  const absl::Time time =
      absl::FromUnixSeconds(1'760'000'000) +
      absl::Seconds(kDays * 86'400) * (static_cast<double>(row) / static_cast<double>(rows));
  ledger::UsageRecord record;
  record.reservation = absl::StrFormat("call-%016x", random());
  record.record_time = record.charge_time = absl::FromUnixMicros(absl::ToUnixMicros(time));
  record.scopes.project = absl::StrCat("projects/p", project);
  record.scopes.plan = absl::StrCat(record.scopes.project, "/plans/plan", plan);
  record.scopes.task = absl::StrCat(record.scopes.plan, "/tasks/t", random() % kTasksOfPlan);
  record.scopes.attempt = absl::StrCat(record.scopes.task, "/attempts/", 1 + random() % 2);
  record.scopes.role = kRoles[random() % 3];
  record.provider = "bench";
  record.model = kModels[random() % 3];
  record.service_tier = "default";
  record.tokens.input = static_cast<int64_t>(random() % 10'000);
  record.tokens.output = static_cast<int64_t>(random() % 2'000);
  record.charged = {.usd_nanos = static_cast<int64_t>(random() % 1'000'000),
                    .tokens = record.tokens.All(),
                    .requests = 1};
  record.first_cost = record.charged.usd_nanos;
  return record;
}

absl::Status Fill(const std::string& path, int64_t rows) {
  ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Database> database,
                   sqlite::Database::Open(path, {.synchronous = sqlite::Synchronous::kNormal,
                                                 .migrations = ledger::kMigrations,
                                                 .cache_kib = 256 << 10}));
  ASSIGN_OR_RETURN(const std::unique_ptr<events::EventLog> log,
                   events::EventLog::Open(*database, base::RandomIds(), "ledger"));
  ledger::ChangeWriter writer(*log);
  std::mt19937_64 random(1);
  for (int64_t row = 0; row < rows;) {
    RETURN_IF_ERROR(database->Write([&](sqlite::Transaction& transaction) -> absl::Status {
      const int64_t end = std::min(rows, row + kRowsOfTransaction);
      for (; row < end; ++row) {
        ledger::Changes changes;
        const ledger::UsageRecord record = RecordOf(row, rows, random);
        changes.rollups.push_back({.record = record,
                                   .calls = 1,
                                   .tokens = record.tokens,
                                   .cost_usd_nanos = record.charged.usd_nanos,
                                   .charged = record.charged});
        changes.usage_added.push_back(record);
        RETURN_IF_ERROR(writer.Write(transaction, changes));
      }
      return writer.Flush(transaction);
    }));
  }
  return absl::OkStatus();
}

// Of the process, in KiB.
int64_t MemoryOf(pid_t pid) {
  const absl::StatusOr<std::string> status =
      base::ReadFile(absl::StrCat("/proc/", pid, "/status"), 1 << 16);
  if (!status.ok()) return -1;
  for (absl::string_view line : absl::StrSplit(*status, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    int64_t kib = 0;
    if (words.size() >= 2 && words[0] == "VmRSS:" && absl::SimpleAtoi(words[1], &kib)) return kib;
  }
  return -1;
}

// The median time of a call in milliseconds; the first, which finds nothing in memory, apart.
absl::StatusOr<std::pair<double, double>> TimeOf(const std::function<absl::Status()>& call) {
  std::vector<double> times;
  double first = 0;
  for (int i = 0; i <= kRepeats; ++i) {
    const absl::Duration begin = base::RealClock().Elapsed();
    RETURN_IF_ERROR(call());
    const double took = absl::ToDoubleMilliseconds(base::RealClock().Elapsed() - begin);
    if (i == 0) {
      first = took;
    } else {
      times.push_back(took);
    }
  }
  std::sort(times.begin(), times.end());
  return std::make_pair(first, times[times.size() / 2]);
}

}  // namespace

absl::Status RunLedgerScale(const LedgerScaleOptions& options) {
  base::Clock& clock = base::RealClock();
  ASSIGN_OR_RETURN(const std::unique_ptr<ScratchDirectory> directory,
                   ScratchDirectory::Make(options.directory));
  nlohmann::ordered_json report = {{"rows", options.rows}};
  absl::Duration begin = clock.Elapsed();
  RETURN_IF_ERROR(Fill(directory->File("ledger.db"), options.rows));
  report["fill_s"] = absl::ToDoubleSeconds(clock.Elapsed() - begin);

  begin = clock.Elapsed();
  ASSIGN_OR_RETURN(
      ServerProcess process,
      ServerProcess::StartLedger(ProgramBeside("slipway-ledger"), directory->File("ledger.sock"),
                                 directory->File("ledger.db")));
  RETURN_IF_ERROR(process.WaitForSocket());
  LedgerClient client(process.address());
  RETURN_IF_ERROR(client.WaitReady());
  report["start_ms"] = absl::ToDoubleMilliseconds(clock.Elapsed() - begin);
  report["rss_kib_at_start"] = MemoryOf(process.pid());

  nlohmann::ordered_json queries = nlohmann::ordered_json::object();
  const auto measure = [&](const std::string& name,
                           const std::function<absl::Status()>& call) -> absl::Status {
    ASSIGN_OR_RETURN(const auto times, TimeOf(call));
    queries[name] = {{"first_ms", times.first}, {"p50_ms", times.second}};
    return absl::OkStatus();
  };
  using Groups = std::vector<std::string>;
  for (const Groups& groups :
       {Groups{}, Groups{"day"}, Groups{"project"}, Groups{"plan"}, Groups{"task"}, Groups{"role"},
        Groups{"model"}, Groups{"project", "plan"}, Groups{"project", "task"},
        Groups{"project", "attempt"}, Groups{"project", "plan", "task"}}) {
    pb::QueryUsageRequest request;
    for (const std::string& group : groups) request.add_group_by(group);
    const std::string name = groups.empty() ? "nothing" : absl::StrJoin(groups, "_");
    RETURN_IF_ERROR(measure(absl::StrCat("usage_by_", name), [&] {
      return rpc::CallUnary(client.stub(), &Stub::QueryUsage, request,
                            {.timeout = absl::Minutes(1)})
          .status();
    }));
  }
  pb::QueryUsageRequest of_plan;
  of_plan.set_scope("projects/p1/plans/plan1");
  of_plan.add_group_by("task");
  RETURN_IF_ERROR(measure("usage_of_a_plan_by_task", [&] {
    return rpc::CallUnary(client.stub(), &Stub::QueryUsage, of_plan, {.timeout = absl::Minutes(1)})
        .status();
  }));
  RETURN_IF_ERROR(measure("list_usage_page", [&] {
    return rpc::CallUnary(client.stub(), &Stub::ListUsage, pb::ListUsageRequest(),
                          {.timeout = absl::Minutes(1)})
        .status();
  }));
  begin = clock.Elapsed();
  RETURN_IF_ERROR(client.SetCallLimit("organisation", int64_t{1} << 60));
  report["set_total_budget_ms"] = absl::ToDoubleMilliseconds(clock.Elapsed() - begin);
  report["queries"] = queries;
  report["rss_kib_after"] = MemoryOf(process.pid());
  RETURN_IF_ERROR(process.Stop());

  if (options.json) {
    absl::PrintF("%s\n", report.dump(2));
    return absl::OkStatus();
  }
  for (const auto& [name, value] : report.items()) {
    if (name != "queries") absl::PrintF("%-26s %s\n", name, value.dump());
  }
  for (const auto& [name, value] : queries.items()) {
    absl::PrintF("%-26s %8.1f ms, first %.1f ms\n", name, value["p50_ms"].get<double>(),
                 value["first_ms"].get<double>());
  }
  return absl::OkStatus();
}

}  // namespace slipway::bench
