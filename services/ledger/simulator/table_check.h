#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/ledger/simulator/model.h"

namespace slipway::ledger::simulator {

// How many entries the journal of the file has; read without the ledger's code.
absl::StatusOr<int64_t> CountJournal(const char* vfs, const std::string& path);

// Compares every table of the file with the model, and replays the journal from zero; without the
// ledger's code. `now` is the wall time. DATA_LOSS with the first difference.
absl::Status CheckTables(const char* vfs, const std::string& path, const Model& model,
                         absl::Time now);

// Runs SQL on the file: for faults that only a broken ledger would write.
absl::Status RunSql(const char* vfs, const std::string& path, const std::string& sql);

}  // namespace slipway::ledger::simulator
