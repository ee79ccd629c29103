#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/sqlite/reader.h"
#include "services/ledger/domain/ledger_store.h"

namespace slipway::ledger {

// Computes every invariant of the ledger again from one consistent state of its tables, without the
// code that keeps them. Reads everything: takes seconds for millions of rows.
class Auditor final {
 public:
  // `now` decides which holds are overdue.
  Auditor(sqlite::Reader& reader, absl::Time now) : reader_(reader), now_(now) {}

  absl::StatusOr<std::vector<AuditCheck>> Run();

 private:
  struct Replayed {
    int64_t posted = 0;
    int64_t reserved = 0;
    int64_t overage = 0;
  };
  using BucketKey = std::pair<std::string, int64_t>;

  absl::Status LoadBudgets();
  absl::Status ReplayJournal();
  absl::Status Replay(const JournalEntry& entry, AuditCheck& within_limits, AuditCheck& ends,
                      AuditCheck& chain);
  absl::Status CompareReplay(AuditCheck& chain);
  absl::Status CheckLegs();
  absl::Status CheckSums();
  absl::Status CheckParents();
  absl::Status CheckWindows();
  absl::Status CheckRanges();

  // A check whose breaches are the rows of `sql`, each one text, and whose count is `count_sql`.
  absl::Status CheckNoRows(const char* invariant, sqlite::Sql count_sql, sqlite::Sql sql);
  static void Breach(AuditCheck& check, std::string line);

  sqlite::Reader& reader_;
  [[maybe_unused]] const absl::Time now_;
  std::vector<AuditCheck> checks_;
  std::map<std::string, Budget> budgets_;
  std::vector<Bucket> buckets_;
  std::map<BucketKey, Replayed> replayed_;
  std::map<std::string, std::string> states_;
  std::string digest_;
  int64_t sequence_ = 0;
};

}  // namespace slipway::ledger
