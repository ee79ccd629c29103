#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "lib/sqlite/reader.h"
#include "services/ledger/domain/ledger_store.h"
#include "services/ledger/domain/usage.h"
#include "services/ledger/storage/journal_replay.h"

namespace slipway::ledger {

// Compares the sums that are kept of usage, by day, plan and month and by the day that counts for
// budgets, with the calls themselves. Memory does not grow with either.
class UsageSumsAudit final {
 public:
  // To be called for every call.
  void Add(const UsageRecord& usage);

  // Reads the tables of sums, and once more those that are wrong, to name a row.
  absl::StatusOr<std::vector<AuditCheck>> Compare(sqlite::Reader& reader) const;

 private:
  // What the tables have to add up to.
  Fingerprint by_day_;
  Fingerprint by_plan_;
  Fingerprint by_month_;
  Fingerprint charged_;
  int64_t calls_ = 0;
};

}  // namespace slipway::ledger
