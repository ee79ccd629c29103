#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/sqlite/database.h"
#include "lib/sqlite/reader.h"
#include "lib/sqlite/transaction.h"
#include "services/ledger/storage/change_writer.h"
#include "services/ledger/storage/decision_log.h"

namespace slipway::ledger {

// What the tables say of the log of decisions beside them.
struct LogState {
  bool open = false;  // The log is needed: from a start until the ledger is stopped.
  JournalHead head;   // The last decision in the tables.
};
absl::StatusOr<LogState> SelectLogState(sqlite::Reader& reader);

// Durable when it returns.
absl::Status SetLogOpen(sqlite::Database& database, bool open);

// How a log relates to the tables beside it.
struct LogReplay {
  LogState state;    // Before.
  int64_t last = 0;  // The last decision of both.
  DecisionLog::Found found;
};

// What `log` has after the tables that `reader` reads: nothing is written. Fails as
// DecisionLog::ReadAfter does, or with DecisionsMissing.
absl::StatusOr<LogReplay> CompareLog(sqlite::Reader& reader, const DecisionLog& log);

// Brings what only `log` has into the tables. Fails as CompareLog does, or as a write does.
absl::StatusOr<LogReplay> ReplayLog(sqlite::Transaction& transaction, const DecisionLog& log,
                                    ChangeWriter& writer);

}  // namespace slipway::ledger
