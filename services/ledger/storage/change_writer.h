#pragma once

#include "absl/status/status.h"
#include "lib/events/event_log.h"
#include "lib/sqlite/transaction.h"
#include "services/ledger/domain/changes.h"

namespace slipway::ledger {

// Writes everything that a decision changed. On an error some of it may be written: the transaction
// must not commit.
absl::Status WriteChanges(sqlite::Transaction& transaction, events::EventLog& log,
                          const Changes& changes);

}  // namespace slipway::ledger
