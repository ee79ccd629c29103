#include "services/ledger/simulator/table_check.h"

#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status_macros.h"
#include "services/ledger/simulator/answer.h"

namespace slipway::ledger::simulator {

using Lines = std::vector<std::string>;

class TableCheck::Tables final {
 public:
  Tables(const char* vfs, const std::string& path, int flags) {
    code_ = sqlite3_open_v2(path.c_str(), &handle_, flags, vfs);
  }
  ~Tables() { sqlite3_close_v2(handle_); }
  Tables(const Tables&) = delete;
  Tables& operator=(const Tables&) = delete;

  absl::Status ForEach(const std::string& sql,
                       absl::FunctionRef<absl::Status(sqlite3_stmt*)> visit) {
    if (code_ != SQLITE_OK) return absl::DataLossError("the file cannot be opened");
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
      return absl::DataLossError(absl::StrCat(sqlite3_errmsg(handle_), ": ", sql));
    }
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> owned(statement, sqlite3_finalize);
    int code = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) RETURN_IF_ERROR(visit(statement));
    if (code == SQLITE_DONE) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(sqlite3_errmsg(handle_), ": ", sql));
  }

  // Rows as their columns, parted by '|'.
  absl::StatusOr<Lines> Select(const std::string& sql) {
    Lines lines;
    RETURN_IF_ERROR(ForEach(sql, [&](sqlite3_stmt* row) {
      std::string line;
      for (int i = 0; i < sqlite3_column_count(row); ++i) {
        const unsigned char* text = sqlite3_column_text(row, i);
        absl::StrAppend(&line, i == 0 ? "" : "|",
                        text == nullptr ? "none" : reinterpret_cast<const char*>(text));
      }
      lines.push_back(std::move(line));
      return absl::OkStatus();
    }));
    return lines;
  }

 private:
  sqlite3* handle_ = nullptr;
  int code_ = SQLITE_ERROR;
};

namespace {

std::string JoinAmounts(const Amounts& amounts) {
  return absl::StrCat(amounts.usd_nanos, "|", amounts.tokens, "|", amounts.requests);
}

int64_t Micros(absl::Time time) { return absl::ToUnixMicros(time); }

absl::Status Compare(const char* what, Lines expected, Lines found) {
  std::sort(expected.begin(), expected.end());
  std::sort(found.begin(), found.end());
  const auto [a, b] = std::mismatch(expected.begin(), expected.end(), found.begin(), found.end());
  if (a == expected.end() && b == found.end()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("table ", what, "\n  expected ",
                                          a == expected.end() ? "nothing more" : *a,
                                          "\n  observed ", b == found.end() ? "nothing more" : *b));
}

template <typename T>
absl::Status CheckReservations(T& tables, const Model& model) {
  Lines expected;
  for (const auto& [key, hold] : model.holds()) {
    const ReserveOrder& order = hold.order;
    expected.push_back(absl::StrCat(
        key, "|", static_cast<int>(order.kind), "|", static_cast<int>(hold.state), "|",
        order.scopes.project, "|", order.scopes.plan, "|", order.scopes.task, "|",
        order.scopes.attempt, "|", order.scopes.role, "|", order.envelope, "|",
        absl::StrCat(order.owner, "|", order.owner_epoch, "|", JoinAmounts(order.amounts), "|",
                     JoinAmounts(order.minimum), "|", JoinAmounts(hold.held), "|",
                     JoinAmounts(hold.settled), "|", Micros(hold.charge_time), "|",
                     absl::StrCat(Micros(hold.expire_time), "|", hold.drawing ? 1 : 0, "|",
                                  hold.denial.has_value() ? 1 : 0))));
  }
  ASSIGN_OR_RETURN(
      Lines found,
      tables.Select("SELECT key,kind,state,project,plan,task,attempt,role,envelope,owner,"
                    "owner_epoch,asked_usd,asked_tokens,asked_requests,least_usd,least_tokens,"
                    "least_requests,held_usd,held_tokens,held_requests,settled_usd,settled_tokens,"
                    "settled_requests,charge_time_us,expire_time_us,drawing,denial<>''"
                    " FROM reservation"));
  return Compare("reservation", std::move(expected), std::move(found));
}

template <typename T>
absl::Status CheckUsage(T& tables, const Model& model) {
  Lines expected;
  std::map<std::string, std::pair<int64_t, int64_t>> sums;
  for (const auto& [key, record] : model.usage()) {
    const TokenCounts& tokens = record.tokens;
    const ScopePath& scopes = record.scopes;
    expected.push_back(absl::StrCat(
        key, "|", Micros(record.record_time), "|", Micros(record.charge_time), "|", record.provider,
        "|", record.model, "|", record.service_tier, "|",
        absl::StrJoin({tokens.input, tokens.cache_read, tokens.cache_write, tokens.cache_write_long,
                       tokens.output, tokens.reasoning, tokens.searches},
                      "|"),
        "|", JoinAmounts(record.charged), "|",
        absl::StrCat(record.first_cost, "|", static_cast<int>(record.basis), "|",
                     record.provider_request_id, "|", record.price)));
    const int64_t day = Model::LabelAt(Window::kDay, "", record.record_time);
    auto& [calls, cost] = sums[absl::StrCat(day, "|", scopes.project, "|", scopes.plan, "|",
                                            scopes.task, "|", scopes.attempt, "|", scopes.role, "|",
                                            record.provider, "|", record.model)];
    ++calls;
    cost += record.charged.usd_nanos;
  }
  ASSIGN_OR_RETURN(
      Lines found,
      tables.Select("SELECT reservation,record_time_us,charge_time_us,provider,model,service_tier,"
                    "input,cache_read,cache_write,cache_write_long,output,reasoning,searches,"
                    "charged_usd,charged_tokens,charged_requests,first_cost,basis,"
                    "provider_request_id,price FROM usage"));
  RETURN_IF_ERROR(Compare("usage", std::move(expected), std::move(found)));
  Lines rollups;
  for (const auto& [group, sum] : sums) {
    rollups.push_back(absl::StrCat(group, "|", sum.first, "|", sum.second));
  }
  ASSIGN_OR_RETURN(
      Lines stored,
      tables.Select("SELECT strftime('%Y%m%d',day_us/1000000,'unixepoch'),project,plan,task,"
                    "attempt,role,provider,model,calls,cost FROM rollup"));
  return Compare("rollup", std::move(rollups), std::move(stored));
}

std::string NameOf(const ModelBudget& budget) {
  return absl::StrCat(budget.scope, "|", static_cast<int>(budget.metric), "|",
                      static_cast<int>(budget.window));
}

template <typename T>
absl::Status CheckBudgets(T& tables, const Model& model) {
  Lines expected;
  for (const auto& [id, budget] : model.budgets()) {
    expected.push_back(absl::StrCat(id, "|", NameOf(budget), "|", budget.zone, "|",
                                    budget.limit.has_value() ? absl::StrCat(*budget.limit) : "none",
                                    "|", budget.version, "|", budget.frozen ? 1 : 0, "|",
                                    absl::StrJoin(budget.percents, ","), "|",
                                    Micros(budget.since)));
  }
  ASSIGN_OR_RETURN(Lines found,
                   tables.Select("SELECT id,scope,metric,budget_window,time_zone,spend_limit,"
                                 "version,frozen,warn_percents,since_us FROM budget"));
  return Compare("budget", std::move(expected), std::move(found));
}

struct Sums {
  int64_t posted = 0;
  int64_t reserved = 0;
  int64_t overage = 0;
  friend bool operator==(const Sums&, const Sums&) = default;
};
using BucketSums = std::map<std::pair<std::string, int64_t>, Sums>;  // By window start.

// Adds up the journal and compares it with what the buckets are.
template <typename T>
absl::Status ReplayJournal(T& tables, const Model& model, const BucketSums& buckets) {
  BucketSums replayed;
  int64_t entries = 0;
  int64_t last_micros = 0;
  RETURN_IF_ERROR(tables.ForEach(
      "SELECT sequence,time_us,body FROM journal ORDER BY sequence",
      [&](sqlite3_stmt* row) -> absl::Status {
        const int64_t micros = sqlite3_column_int64(row, 1);
        if (sqlite3_column_int64(row, 0) != ++entries || micros < last_micros) {
          return absl::DataLossError(
              absl::StrCat("the journal has a gap, or goes back in time, at entry ", entries));
        }
        last_micros = micros;
        const auto body = nlohmann::json::parse(
            reinterpret_cast<const char*>(sqlite3_column_text(row, 2)), nullptr, false);
        if (!body.is_object()) return absl::DataLossError("the journal is not readable");
        for (const auto& line : body.value("postings", nlohmann::json::array())) {
          for (size_t i = 5; i < line.size(); ++i) {
            Sums& sums = replayed[{line.at(i).get<std::string>(), line.at(0).get<int64_t>()}];
            sums.posted += line.at(1).get<int64_t>();
            sums.reserved += line.at(2).get<int64_t>();
            sums.overage += line.at(3).get<int64_t>();
          }
        }
        return absl::OkStatus();
      }));
  if (entries != model.journal()) {
    return absl::DataLossError(
        absl::StrCat("the journal has ", entries, " entries, expected ", model.journal()));
  }
  std::erase_if(replayed, [](const auto& entry) { return entry.second == Sums(); });
  BucketSums filled = buckets;
  std::erase_if(filled, [](const auto& entry) { return entry.second == Sums(); });
  if (replayed == filled) return absl::OkStatus();
  return absl::DataLossError("the journal does not replay to the buckets");
}

template <typename T>
absl::Status CheckBuckets(T& tables, const Model& model, absl::Time now) {
  Lines expected;
  for (const auto& [id, budget] : model.budgets()) {
    const int64_t first = Model::LabelAt(budget.window, budget.zone, budget.since);
    for (const int64_t label : model.LabelsOf(budget, now)) {
      const Model::BucketKey key(id, label);
      const auto overage = model.overage().find(key);
      const auto warned = model.warned().find(key);
      const int64_t reserved = model.Reserved(budget, label);
      const int64_t posted = model.Posted(budget, label);
      expected.push_back(absl::StrCat(id, "|", label, "|", posted, "|", reserved, "|",
                                      overage == model.overage().end() ? 0 : overage->second, "|",
                                      warned == model.warned().end() ? 0 : warned->second, "|",
                                      model.frozen_buckets().contains(key) ? 1 : 0, "|",
                                      // Windows that were over before the budget came need no row.
                                      label < first && reserved == 0 ? "may be missing" : ""));
    }
  }
  BucketSums sums;
  Lines found;
  RETURN_IF_ERROR(tables.ForEach(
      "SELECT budget,window_start_us,posted,reserved,overage,warned,frozen FROM bucket",
      [&](sqlite3_stmt* row) -> absl::Status {
        const std::string id = reinterpret_cast<const char*>(sqlite3_column_text(row, 0));
        const auto known = model.budgets().find(id);
        if (known == model.budgets().end()) return absl::DataLossError("an unknown bucket");
        const ModelBudget& budget = known->second;
        const int64_t micros = sqlite3_column_int64(row, 1);
        const absl::Time start = absl::FromUnixMicros(micros);
        const int64_t label = Model::LabelAt(budget.window, budget.zone, start);
        if (budget.window != Window::kTotal &&
            label == Model::LabelAt(budget.window, budget.zone, start - absl::Microseconds(1))) {
          return absl::DataLossError(absl::StrCat("bucket ", id, " starts within its window"));
        }
        sums[{id, micros}] = {sqlite3_column_int64(row, 2), sqlite3_column_int64(row, 3),
                              sqlite3_column_int64(row, 4)};
        std::string line = absl::StrCat(id, "|", label);
        for (int i = 2; i < 7; ++i) absl::StrAppend(&line, "|", sqlite3_column_int64(row, i));
        found.push_back(line + "|");
        return absl::OkStatus();
      }));
  // Rows of nothing may be there or not; those of history as said above.
  const auto is_nothing = [](const std::string& line) { return line.ends_with("|0|0|0|0|0|"); };
  std::erase_if(found, is_nothing);
  std::erase_if(expected, is_nothing);
  for (std::string& line : expected) {
    const size_t mark = line.find("may be missing");
    if (mark == std::string::npos) continue;
    line.resize(mark);
    if (std::find(found.begin(), found.end(), line) == found.end()) line.clear();
  }
  std::erase(expected, "");
  std::erase_if(expected, is_nothing);
  RETURN_IF_ERROR(Compare("bucket", std::move(expected), std::move(found)));
  return ReplayJournal(tables, model, sums);
}

template <typename T>
absl::Status CheckRest(T& tables, const Model& model) {
  Lines adjustments;
  for (const auto& [key, adjustment] : model.adjustments()) {
    adjustments.push_back(absl::StrCat(adjustment.reservation, "|", adjustment.delta_usd_nanos));
  }
  ASSIGN_OR_RETURN(Lines found, tables.Select("SELECT reservation,delta_usd FROM adjustment"));
  RETURN_IF_ERROR(Compare("adjustment", std::move(adjustments), std::move(found)));

  Lines prices;
  for (const Price& price : model.prices()) {
    prices.push_back(absl::StrCat(price.id, "|", price.provider, "|", price.model, "|",
                                  price.service_tier, "|", Micros(price.effective_time), "|",
                                  price.input_pico_usd));
  }
  ASSIGN_OR_RETURN(
      found, tables.Select("SELECT id,provider,model,service_tier,effective_us,input FROM price"));
  RETURN_IF_ERROR(Compare("price", std::move(prices), std::move(found)));

  ASSIGN_OR_RETURN(found, tables.Select("SELECT COUNT(*) FROM stored_reply"));
  const size_t replies = model.replies().size() + model.top_ups().size();
  RETURN_IF_ERROR(Compare("stored_reply", {absl::StrCat(replies)}, std::move(found)));

  Lines scopes;
  for (const auto& [name, scope] : model.frozen_scopes()) {
    scopes.push_back(absl::StrCat(name, "|", scope.reason, "|", Micros(scope.freeze_time)));
  }
  ASSIGN_OR_RETURN(found, tables.Select("SELECT scope,reason,freeze_time_us FROM frozen_scope"));
  RETURN_IF_ERROR(Compare("frozen_scope", std::move(scopes), std::move(found)));

  Lines owners;
  for (const auto& [owner, epoch] : model.epochs()) {
    owners.push_back(absl::StrCat(owner, "|", epoch));
  }
  ASSIGN_OR_RETURN(found, tables.Select("SELECT owner,epoch FROM owner"));
  RETURN_IF_ERROR(Compare("owner", std::move(owners), std::move(found)));

  Lines events;
  for (const auto& [kind, count] : model.events()) events.push_back(absl::StrCat(kind, "|", count));
  ASSIGN_OR_RETURN(found, tables.Select("SELECT kind,COUNT(*) FROM event GROUP BY kind"));
  return Compare("event", std::move(events), std::move(found));
}

}  // namespace

TableCheck::TableCheck(const char* vfs, const std::string& path)
    : tables_(std::make_unique<Tables>(vfs, path, SQLITE_OPEN_READONLY)) {}

TableCheck::~TableCheck() = default;

absl::StatusOr<int64_t> TableCheck::CountJournal() {
  int64_t count = 0;
  RETURN_IF_ERROR(tables_->ForEach("SELECT COUNT(*) FROM journal", [&](sqlite3_stmt* row) {
    count = sqlite3_column_int64(row, 0);
    return absl::OkStatus();
  }));
  return count;
}

absl::Status TableCheck::Run(const Model& model, absl::Time now) {
  RETURN_IF_ERROR(CheckReservations(*tables_, model));
  RETURN_IF_ERROR(CheckUsage(*tables_, model));
  RETURN_IF_ERROR(CheckBudgets(*tables_, model));
  RETURN_IF_ERROR(CheckBuckets(*tables_, model, now));
  return CheckRest(*tables_, model);
}

absl::Status RunSql(const char* vfs, const std::string& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE, vfs);
  const int code = sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr);
  sqlite3_close_v2(handle);
  return code == SQLITE_OK ? absl::OkStatus() : absl::DataLossError(sqlite3_errstr(code));
}

}  // namespace slipway::ledger::simulator
