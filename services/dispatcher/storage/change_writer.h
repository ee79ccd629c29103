#pragma once

#include "absl/status/status.h"
#include "lib/sqlite/transaction.h"
#include "services/dispatcher/domain/task_store.h"

namespace slipway::dispatcher {

// Writes the rows of one change; events are the caller's. A task row is replaced only where it has
// the epoch that the core last stored: anything else is INTERNAL (EPOCH_FENCED).
absl::Status WriteRows(sqlite::Transaction& transaction, const ChangeSet& changes);

}  // namespace slipway::dispatcher
