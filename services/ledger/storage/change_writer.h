#pragma once

#include <functional>
#include <map>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/events/event_log.h"
#include "lib/sqlite/transaction.h"
#include "services/ledger/domain/changes.h"

namespace slipway::ledger {

// Writes what decisions changed. Rows that many decisions of a batch change, which are buckets and
// sums of usage, are kept back and written once by Flush: before the batch commits, and before
// anything reads them. On an error some of a change may be written: the transaction must not
// commit. Not thread-safe.
class ChangeWriter final {
 public:
  explicit ChangeWriter(events::EventLog& log) : log_(log) {}

  absl::Status Write(sqlite::Transaction& transaction, const Changes& changes);
  absl::Status Flush(sqlite::Transaction& transaction);

 private:
  void AddToSums(const RollupChange& change);

  using BucketKey = std::tuple<std::string, absl::Time>;
  // Day, project, plan, task, attempt, role, provider, model.
  using RollupKey = std::tuple<absl::Time, std::string, std::string, std::string, std::string,
                               std::string, std::string, std::string>;
  // Day, project, plan, task, attempt, role.
  using ChargeKey =
      std::tuple<absl::Time, std::string, std::string, std::string, std::string, std::string>;

  events::EventLog& log_;
  std::map<BucketKey, Bucket, std::less<>> buckets_;
  // Found by tuples of references: most changes add to sums of their batch.
  std::map<RollupKey, RollupChange, std::less<>> rollups_;
  std::map<ChargeKey, Amounts, std::less<>> charged_;
};

}  // namespace slipway::ledger
