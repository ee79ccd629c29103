#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "services/models/domain/ledger.h"
#include "services/models/domain/settlement.h"
#include "services/models/domain/store.h"

namespace slipway::models {

// Tells the ledger how holds ended, until it has accepted. Thread-safe; blocks.
class Settler final {
 public:
  Settler(Store& store, Ledger& ledger, base::Clock& clock)
      : store_(store), ledger_(ledger), clock_(clock) {}

  // Settles now and returns what was charged. After an error it stays owed.
  absl::StatusOr<int64_t> Settle(const Settlement& settlement);

  // Settles everything that is owed, then closes instances before `owner` for which nothing is.
  // Stops at the first error, which is the ledger's.
  absl::Status SettleOwed(const std::string& owner);

 private:
  absl::StatusOr<int64_t> Ask(const Settlement& settlement);

  Store& store_;
  Ledger& ledger_;
  base::Clock& clock_;
};

}  // namespace slipway::models
