#pragma once

#include <cstdint>

#include "services/ledger/domain/changes.h"

namespace slipway::ledger {

// Counts what a change did, and logs what a person should look at: calls that cost more than they
// held, and holds that nobody settled. Thread-safe.
void CountChanges(const Changes& changes);

// Counts a batch of that many changes which was made durable at once. Thread-safe.
void CountBatch(int64_t changes);

}  // namespace slipway::ledger
