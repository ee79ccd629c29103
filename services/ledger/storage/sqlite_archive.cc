#include "services/ledger/storage/sqlite_archive.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "services/ledger/storage/rows.h"

namespace slipway::ledger {
namespace {

using sqlite::Reader;
using sqlite::Row;
using sqlite::Sql;

constexpr Sql kSelectReservation =
    "SELECT " SLIPWAY_LEDGER_RESERVATION_COLUMNS " FROM reservation WHERE key=?";
constexpr Sql kSelectUsage =
    "SELECT " SLIPWAY_LEDGER_USAGE_COLUMNS
    " FROM usage WHERE sequence=(SELECT usage_sequence FROM reservation WHERE key=?)";
constexpr Sql kSelectAdjustment =
    "SELECT key,reservation,time_us,delta_usd,evidence FROM adjustment WHERE key=?";
constexpr Sql kSelectReply = "SELECT request_id,digest,body FROM stored_reply WHERE request_id=?";
constexpr Sql kSelectBucket =
    "SELECT " SLIPWAY_LEDGER_BUCKET_COLUMNS " FROM bucket WHERE budget=? AND window_start_us=?";
#define SLIPWAY_LEDGER_CHARGED_WHERE                                         \
  " AND (?3='' OR project=?3) AND (?4='' OR plan=?4) AND (?5='' OR task=?5)" \
  " AND (?6='' OR attempt=?6) AND (?7='' OR role=?7)"
// Whole days of UTC from their sums; the ends of a window of another time zone from usage.
constexpr Sql kSumChargedDays =
    "SELECT COALESCE(SUM(usd),0),COALESCE(SUM(tokens),0),COALESCE(SUM(requests),0) FROM charged"
    " WHERE day_us>=?1 AND day_us<?2" SLIPWAY_LEDGER_CHARGED_WHERE;
constexpr Sql kSumChargedTimes =
    "SELECT COALESCE(SUM(charged_usd),0),COALESCE(SUM(charged_tokens),0),"
    "COALESCE(SUM(charged_requests),0) FROM usage"
    " WHERE charge_time_us>=?1 AND charge_time_us<?2" SLIPWAY_LEDGER_CHARGED_WHERE;
constexpr Sql kSelectBudgets = "SELECT " SLIPWAY_LEDGER_BUDGET_COLUMNS " FROM budget ORDER BY id";
// Others are found on disk when they are needed.
constexpr Sql kSelectReservedBuckets =
    "SELECT " SLIPWAY_LEDGER_BUCKET_COLUMNS
    " FROM bucket WHERE reserved>0 ORDER BY budget,window_start_us";
constexpr Sql kSelectHeld = "SELECT " SLIPWAY_LEDGER_RESERVATION_COLUMNS
                            " FROM reservation WHERE state=1 ORDER BY sequence";
constexpr Sql kSelectLastEntry =
    "SELECT " SLIPWAY_LEDGER_JOURNAL_COLUMNS " FROM journal ORDER BY sequence DESC LIMIT 1";
constexpr Sql kSelectOwners = "SELECT owner,epoch FROM owner ORDER BY owner";
constexpr Sql kSelectFrozen =
    "SELECT " SLIPWAY_LEDGER_FROZEN_COLUMNS " FROM frozen_scope ORDER BY scope";
constexpr Sql kSelectPrices = "SELECT " SLIPWAY_LEDGER_PRICE_COLUMNS " FROM price ORDER BY id";

constexpr int64_t kDayMicros = 86'400'000'000;

Amounts ReadSums(const Row& row) {
  return {.usd_nanos = row.Int64(0), .tokens = row.Int64(1), .requests = row.Int64(2)};
}

int64_t EndMicros(absl::Time end) {
  return end == absl::InfiniteFuture() ? INT64_MAX : absl::ToUnixMicros(end);
}

Adjustment ReadAdjustment(const Row& row) {
  return {.key = row.Text(0),
          .reservation = row.Text(1),
          .time = row.Time(2),
          .delta_usd_nanos = row.Int64(3),
          .evidence = row.Text(4)};
}

StoredReply ReadStoredReply(const Row& row) {
  return {.request_id = row.Text(0), .digest = row.Text(1), .body = row.Text(2)};
}

absl::StatusOr<Amounts> SelectCharged(Reader& reader, const ScopePath& scope, absl::Time start,
                                      absl::Time end) {
  const auto sum = [&](Sql sql, int64_t from, int64_t to) -> absl::StatusOr<Amounts> {
    if (from >= to) return Amounts();
    return reader.QueryOne(sql, ReadSums, from, to, scope.project, scope.plan, scope.task,
                           scope.attempt, scope.role);
  };
  const int64_t from = absl::ToUnixMicros(start);
  const int64_t to = EndMicros(end);
  const int64_t first = from + (kDayMicros - from % kDayMicros) % kDayMicros;
  const int64_t last = to == INT64_MAX ? to : to - to % kDayMicros;
  if (first >= last) return sum(kSumChargedTimes, from, to);
  ASSIGN_OR_RETURN(Amounts total, sum(kSumChargedDays, first, last));
  ASSIGN_OR_RETURN(const Amounts before, sum(kSumChargedTimes, from, first));
  ASSIGN_OR_RETURN(const Amounts after, sum(kSumChargedTimes, last, to));
  for (const Metric metric : kMetrics) {
    total.Of(metric) += before.Of(metric) + after.Of(metric);
  }
  return total;
}

}  // namespace

absl::StatusOr<std::optional<Reservation>> SelectReservation(Reader& reader,
                                                             const std::string& key) {
  return reader.FindOne(kSelectReservation, ReadReservation, key);
}

template <typename Query>
std::invoke_result_t<Query&, Reader&> SqliteArchive::ReadStored(Query query) {
  const absl::Status stored = pipeline_->WaitUntil(0);
  failure_.Update(stored);
  RETURN_IF_ERROR(stored);
  return Noted(database_->ReadUnsynced(std::move(query)));
}

absl::StatusOr<std::optional<Reservation>> SqliteArchive::FindReservation(const std::string& key) {
  const auto select = [&key](Reader& reader) { return SelectReservation(reader, key); };
  return pipeline_->IsUnstored(key) ? ReadStored(select)
                                    : Noted(database_->ReadStatementUnsynced(select));
}

absl::StatusOr<std::optional<UsageRecord>> SqliteArchive::FindUsage(const std::string& key) {
  return ReadStored(
      [&key](Reader& reader) { return reader.FindOne(kSelectUsage, ReadUsage, key); });
}

absl::StatusOr<std::optional<Adjustment>> SqliteArchive::FindAdjustment(const std::string& key) {
  return ReadStored(
      [&key](Reader& reader) { return reader.FindOne(kSelectAdjustment, ReadAdjustment, key); });
}

absl::StatusOr<std::optional<StoredReply>> SqliteArchive::FindReply(const std::string& request_id) {
  return ReadStored([&request_id](Reader& reader) {
    return reader.FindOne(kSelectReply, ReadStoredReply, request_id);
  });
}

absl::StatusOr<std::optional<Bucket>> SqliteArchive::FindBucket(const std::string& budget,
                                                                absl::Time window_start) {
  return ReadStored([&](Reader& reader) {
    return reader.FindOne(kSelectBucket, ReadBucket, budget, window_start);
  });
}

absl::StatusOr<Amounts> SqliteArchive::SumCharged(const ScopePath& scope, absl::Time start,
                                                  absl::Time end) {
  return ReadStored([&](Reader& reader) { return SelectCharged(reader, scope, start, end); });
}

absl::Status LoadLedger(Reader& reader, Ledger& ledger) {
  Mirror& mirror = ledger.mirror();
  ASSIGN_OR_RETURN(std::vector<Budget> budgets, reader.Query(kSelectBudgets, ReadBudget));
  for (Budget& budget : budgets) mirror.PutBudget(std::move(budget));
  ASSIGN_OR_RETURN(std::vector<Bucket> buckets, reader.Query(kSelectReservedBuckets, ReadBucket));
  for (Bucket& bucket : buckets) mirror.PutBucket(std::move(bucket));
  ASSIGN_OR_RETURN(std::vector<Reservation> held, reader.Query(kSelectHeld, ReadReservation));
  for (Reservation& reservation : held) {
    mirror.PutHeld(std::move(reservation));
  }
  for (const auto& [key, reservation] : mirror.held()) {
    if (!reservation->drawing) continue;
    Reservation& envelope = *mirror.FindHeld(reservation->order.envelope);
    for (const Metric metric : kMetrics) {
      envelope.open_calls.Of(metric) += reservation->held.Of(metric);
    }
  }
  RETURN_IF_ERROR(reader.ForEach(kSelectOwners, [&mirror](const Row& row) {
    mirror.PutEpoch({row.Text(0), row.Int64(1)});
  }));
  ASSIGN_OR_RETURN(std::vector<FrozenScope> frozen, reader.Query(kSelectFrozen, ReadFrozenScope));
  for (FrozenScope& scope : frozen) mirror.PutFrozen(std::move(scope));
  ASSIGN_OR_RETURN(const std::optional<JournalEntry> last,
                   reader.FindOne(kSelectLastEntry, ReadJournalEntry));
  if (last.has_value()) ledger.journal().Resume(last->sequence, last->digest, last->time);
  ASSIGN_OR_RETURN(const std::vector<Price> prices, reader.Query(kSelectPrices, ReadPrice));
  ledger.prices().Load(prices);
  return absl::OkStatus();
}

}  // namespace slipway::ledger
