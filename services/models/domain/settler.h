#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
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
  // Whether a reserve that the ledger does not know may be on its way to it.
  bool MayStillArrive(const std::string& reservation);
  void Forget(const std::string& reservation);

  Store& store_;
  Ledger& ledger_;
  base::Clock& clock_;
  base::Mutex mutex_;
  // By the reservation of a release: until when it is repeated, by the monotonic clock.
  std::map<std::string, absl::Duration> arrivals_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
