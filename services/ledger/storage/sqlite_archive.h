#pragma once

#include <optional>
#include <string>
#include <type_traits>

#include "lib/sqlite/database.h"
#include "lib/sqlite/reader.h"
#include "services/ledger/domain/archive.h"
#include "services/ledger/domain/ledger.h"
#include "services/ledger/storage/decision_pipeline.h"

namespace slipway::ledger {

// The archive in the tables. What may not be in them yet is waited for: a new key is not, so that
// an ordinary hold waits for nothing.
class SqliteArchive final : public Archive {
 public:
  // Before the first question. Both must outlive the archive.
  void Use(sqlite::Database& database, DecisionPipeline& pipeline) {
    database_ = &database;
    pipeline_ = &pipeline;
  }

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

  // Asks `query`, StatusOr<T>(Reader&), when all that was decided is in the tables.
  template <typename Query>
  std::invoke_result_t<Query&, sqlite::Reader&> ReadStored(Query query);

  sqlite::Database* database_ = nullptr;
  DecisionPipeline* pipeline_ = nullptr;
  absl::Status failure_;
};

// The reservation of `key` with its legs.
absl::StatusOr<std::optional<Reservation>> SelectReservation(sqlite::Reader& reader,
                                                             const std::string& key);

// Fills a new ledger's mirror, journal and prices from the tables.
absl::Status LoadLedger(sqlite::Reader& reader, Ledger& ledger);

}  // namespace slipway::ledger
