#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "services/ledger/domain/budget.h"

namespace slipway::ledger {

// Where the spend of a window is heading if it goes on at the rate so far.
struct Projection {
  std::optional<int64_t> posted_at_end;    // Rounded up; absent for TOTAL.
  std::optional<absl::Time> exhaust_time;  // Absent when not in this window, or not in ten years.
};

// Linear in the part of the window that has gone by; of TOTAL, in the time since the budget began
// to count, without what it was seeded with. Unknown before a twentieth of the window (TOTAL: an
// hour) has gone by, and while nothing is spent.
std::optional<Projection> ProjectionAt(const Balance& balance, absl::Time now);

}  // namespace slipway::ledger
