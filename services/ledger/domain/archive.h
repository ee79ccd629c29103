#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/ledger/domain/budget.h"
#include "services/ledger/domain/changes.h"
#include "services/ledger/domain/reservation.h"
#include "services/ledger/domain/usage.h"

namespace slipway::ledger {

// What is on disk and too much for memory. Answers hold everything that was decided before, also
// what is on its way to the disk. Used by the thread that decides.
class Archive {
 public:
  virtual ~Archive() = default;

  // With its legs; absent when the key was never used.
  virtual absl::StatusOr<std::optional<Reservation>> FindReservation(const std::string& key) = 0;
  virtual absl::StatusOr<std::optional<UsageRecord>> FindUsage(const std::string& key) = 0;
  virtual absl::StatusOr<std::optional<Adjustment>> FindAdjustment(const std::string& key) = 0;
  virtual absl::StatusOr<std::optional<StoredReply>> FindReply(const std::string& request_id) = 0;
  virtual absl::StatusOr<std::optional<Bucket>> FindBucket(const std::string& budget,
                                                           absl::Time window_start) = 0;

  // What ended calls at or below `scope` were charged whose charge time is in [start, end).
  virtual absl::StatusOr<Amounts> SumCharged(const ScopePath& scope, absl::Time start,
                                             absl::Time end) = 0;
};

}  // namespace slipway::ledger
