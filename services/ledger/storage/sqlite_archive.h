#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"

#include "lib/sqlite/reader.h"
#include "lib/sqlite/transaction.h"
#include "services/ledger/domain/archive.h"
#include "services/ledger/domain/ledger.h"

namespace slipway::ledger {

// The archive in the tables, read through the transaction that is under way.
class SqliteArchive final : public Archive {
 public:
  // Writes what is kept back of the tables of buckets and sums, before they are read.
  using Flush = absl::AnyInvocable<absl::Status(sqlite::Transaction&)>;
  void FlushBy(Flush flush) { flush_ = std::move(flush); }

  // For the time of one operation; null between operations.
  void Use(sqlite::Transaction* transaction) { reader_ = transaction; }

  // The first read that failed, ever: decisions may then rest on half an answer.
  const absl::Status& failure() const { return failure_; }

  absl::StatusOr<std::optional<Reservation>> FindReservation(const std::string& key) override;
  absl::StatusOr<std::optional<UsageRecord>> FindUsage(const std::string& key) override;
  absl::StatusOr<std::optional<Adjustment>> FindAdjustment(const std::string& key) override;
  absl::StatusOr<std::optional<StoredReply>> FindReply(const std::string& request_id) override;
  absl::StatusOr<std::optional<Bucket>> FindBucket(const std::string& budget,
                                                   absl::Time window_start) override;
  absl::StatusOr<Amounts> SumCharged(const ScopePath& scope, absl::Time start,
                                     absl::Time end) override;

 private:
  template <typename T>
  absl::StatusOr<T> Noted(absl::StatusOr<T> result) {
    failure_.Update(result.status());
    return result;
  }

  absl::Status FlushTables();

  sqlite::Transaction* reader_ = nullptr;
  Flush flush_;
  absl::Status failure_;
};

// The reservation of `key` with its legs.
absl::StatusOr<std::optional<Reservation>> SelectReservation(sqlite::Reader& reader,
                                                             const std::string& key);

// Fills a new ledger's mirror, journal and prices from the tables.
absl::Status LoadLedger(sqlite::Reader& reader, Ledger& ledger);

}  // namespace slipway::ledger
