#pragma once

#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "services/ledger/domain/budget.h"
#include "services/ledger/domain/reservation.h"

namespace slipway::ledger {

// A bucket that a hold must fit into.
struct Constraint {
  const Budget* budget;
  Bucket* bucket;
};

struct Admission {
  Amounts granted;
  std::optional<Denial> denial;
};

// When the first of the holds on a bucket, null: in the envelope, will have ended.
using FirstEnd = absl::FunctionRef<absl::Time(const Bucket*)>;

// Decides about `order`: all buckets have room for the granted amounts, which are at least the
// minimum, or it is denied for the gravest cause, so that nobody waits for siblings while the money
// is spent. Of an envelope, which may be null, the rest bounds the metrics that it holds.
Admission Admit(const ReserveOrder& order, const std::vector<Constraint>& constraints,
                const Reservation* envelope, absl::Time now, FirstEnd first_end);

}  // namespace slipway::ledger
