#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/ledger/simulator/model.h"

namespace slipway::ledger::simulator {

// Reads the tables of a ledger through a connection of its own, without the ledger's code.
class TableCheck final {
 public:
  TableCheck(const char* vfs, const std::string& path);
  ~TableCheck();

  // How many entries the journal has.
  absl::StatusOr<int64_t> CountJournal();

  // Compares every table with the model, and replays the journal from zero. `now` is the wall time.
  // DATA_LOSS with the first difference.
  absl::Status Run(const Model& model, absl::Time now);

 private:
  class Tables;

  const std::unique_ptr<Tables> tables_;
};

// Runs SQL on the file: for faults that only a broken ledger would write.
absl::Status RunSql(const char* vfs, const std::string& path, const std::string& sql);

}  // namespace slipway::ledger::simulator
