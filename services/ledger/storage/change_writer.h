#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/events/event_log.h"
#include "lib/sqlite/transaction.h"
#include "services/ledger/domain/changes.h"

namespace slipway::ledger {

// Writes what decisions changed. Rows that many decisions of a batch change, which are
// reservations, buckets and sums of usage, are kept back and written once by Flush, before the
// batch commits. On an error some of a change may be written: the transaction must not commit, and
// the writer must go. Not thread-safe.
class ChangeWriter final {
 public:
  explicit ChangeWriter(events::EventLog& log) : log_(log) {}

  absl::Status Write(sqlite::Transaction& transaction, Changes changes);
  absl::Status Flush(sqlite::Transaction& transaction);

 private:
  // A reservation as it stands at the end of the batch.
  struct Row {
    Reservation reservation;
    bool added = false;            // In this batch.
    std::optional<int64_t> usage;  // The row of what it cost, when that is of this batch.
  };

  void Keep(Reservation reservation, bool added);
  absl::Status AddUsage(sqlite::Transaction& transaction, const Changes& changes);
  absl::Status CorrectUsage(sqlite::Transaction& transaction, const Changes& changes);
  void AddToSums(const RollupChange& change);
  absl::Status FlushReservations(sqlite::Transaction& transaction);
  absl::Status FlushSums(sqlite::Transaction& transaction);

  using BucketKey = std::tuple<std::string, absl::Time>;
  // Day, project, plan, task, attempt, role, provider, model.
  using RollupKey = std::tuple<absl::Time, std::string, std::string, std::string, std::string,
                               std::string, std::string, std::string>;
  // Day, project, plan, task, attempt, role.
  using ChargeKey =
      std::tuple<absl::Time, std::string, std::string, std::string, std::string, std::string>;

  events::EventLog& log_;
  std::deque<Row> reservations_;  // In the order of their first change.
  absl::flat_hash_map<absl::string_view, Row*> by_key_;
  absl::flat_hash_map<std::string, int64_t> usage_rows_;  // Of this batch, by reservation.
  std::map<BucketKey, Bucket, std::less<>> buckets_;
  // Found by tuples of references: most changes add to sums of their batch.
  std::map<RollupKey, RollupChange, std::less<>> rollups_;
  std::map<ChargeKey, Amounts, std::less<>> charged_;
};

}  // namespace slipway::ledger
