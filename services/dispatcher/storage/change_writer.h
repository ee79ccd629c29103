#pragma once

#include <vector>

#include "absl/status/status.h"
#include "lib/sqlite/transaction.h"
#include "services/dispatcher/domain/task_store.h"

namespace slipway::dispatcher {

// Writes the rows of changes that follow each other; events are the caller's. Of a task, an attempt
// or a run only the last state is written. A task row is replaced only where it has the epoch that
// the core last stored: anything else is INTERNAL (EPOCH_FENCED). Takes what it needs from
// `changes`.
absl::Status WriteRows(sqlite::Transaction& transaction, std::vector<ChangeSet>& changes);

}  // namespace slipway::dispatcher
