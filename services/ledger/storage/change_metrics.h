#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "services/ledger/domain/changes.h"

namespace slipway::ledger {

// Counts what a change did, and logs what a person should look at: calls that cost more than they
// held, and holds that nobody settled. Thread-safe.
void CountChanges(const Changes& changes);

// Counts that `changes` were logged with one sync, in `bytes` and so much time. Thread-safe.
void CountLogged(int64_t changes, int64_t bytes, absl::Duration time);

// Counts that `changes` were brought into the tables with one commit. Thread-safe.
void CountApplied(int64_t changes, absl::Duration time);

}  // namespace slipway::ledger
