#include "services/ledger/domain/projection.h"

#include <algorithm>

namespace slipway::ledger {
namespace {

__extension__ using WideCount = __int128;

constexpr int kWindowPart = 20;
constexpr absl::Duration kTotalPart = absl::Hours(1);
constexpr absl::Duration kFarMax = absl::Hours(24 * 3'653);

// value * a / b, rounded up; INT64_MAX when that does not fit.
int64_t Scaled(int64_t value, absl::Duration a, absl::Duration b) {
  const WideCount divisor = absl::ToInt64Microseconds(b);
  const WideCount scaled =
      (WideCount{value} * absl::ToInt64Microseconds(a) + divisor - 1) / divisor;
  return static_cast<int64_t>(std::min<WideCount>(scaled, INT64_MAX));
}

}  // namespace

std::optional<Projection> ProjectionAt(const Balance& balance, absl::Time now) {
  const Budget& budget = balance.budget;
  const Bucket& bucket = balance.bucket;
  const bool total = budget.window == Window::kTotal;
  const absl::Time start = total ? budget.since : bucket.window_start;
  const absl::Time end = WindowEnd(budget.window, budget.zone, bucket.window_start);
  const absl::Duration elapsed = now - start;
  const int64_t spent = total ? bucket.posted - bucket.seeded : bucket.posted;
  if (spent <= 0 || elapsed < (total ? kTotalPart : (end - start) / kWindowPart)) {
    return std::nullopt;
  }
  Projection projection;
  if (!total) projection.posted_at_end = Scaled(spent, end - start, elapsed);
  if (budget.limit.has_value() && *budget.limit > 0) {
    const int64_t left = std::max<int64_t>(0, *budget.limit - bucket.posted);
    // Microseconds until `left` is spent, too.
    const WideCount wait = WideCount{left} * absl::ToInt64Microseconds(elapsed) / spent;
    const WideCount far = absl::ToInt64Microseconds(total ? kFarMax : end - now);
    if (wait < far) {
      projection.exhaust_time = now + absl::Microseconds(static_cast<int64_t>(wait));
    }
  }
  return projection;
}

}  // namespace slipway::ledger
