#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/sqlite/reader.h"
#include "services/ledger/domain/ledger_store.h"
#include "services/ledger/storage/audit_sums.h"
#include "services/ledger/storage/journal_replay.h"

namespace slipway::ledger {

// Computes every invariant of the ledger again from one consistent state of its tables, without the
// code that keeps them. Reads every table once, in order, and once more when something is wrong, to
// name it. Memory grows with budgets, buckets and open holds, not with calls.
class Auditor final {
 public:
  // `now` decides which holds are overdue; absent: the time of the last change, for a ledger that
  // does not run.
  Auditor(sqlite::Reader& reader, std::optional<absl::Time> now, IsCancelled is_cancelled = nullptr)
      : reader_(reader), now_(now), rows_(std::move(is_cancelled)) {}

  absl::StatusOr<std::vector<AuditCheck>> Run();

 private:
  struct HoldRow;
  struct HoldChecks;
  struct UsageChecks;

  absl::Status Load();
  void CompareBuckets();
  absl::Status CheckHolds();
  void CheckHold(const HoldRow& row, HoldChecks& checks);
  void CheckLeg(const HoldRow& row, HoldChecks& checks);
  absl::Status CompareStates(HoldChecks& checks);
  absl::Status NameWrongStates();
  absl::Status CheckUsage();
  void AddUsage(const UsageRecord& usage);
  void CheckUsageOfBuckets();
  void CheckParents();
  // The bucket of the nearest scope around a budget's that counts the same; -1 when there is none.
  int ParentOf(const BucketSums& child);
  absl::Status CheckRanges();

  // Adds the rows of `sql`, each one text, to the breaches of `check`.
  absl::Status AddRows(AuditCheck& check, sqlite::Sql sql);

  sqlite::Reader& reader_;
  const std::optional<absl::Time> now_;
  RowCount rows_;
  AuditSums sums_;
  JournalReplay journal_{sums_, rows_};
  std::vector<AuditCheck> checks_;
};

}  // namespace slipway::ledger
