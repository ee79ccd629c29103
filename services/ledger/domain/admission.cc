#include "services/ledger/domain/admission.h"

#include <algorithm>

namespace slipway::ledger {
namespace {

// Of two causes the graver one is told. A cause that only a person can lift is graver than one that
// time lifts, and a later moment graver than an earlier one.
int GravityOf(const Denial& denial) {
  switch (denial.cause) {
    case DenialCause::kFrozen:
      return 5;
    case DenialCause::kNeverFits:
      return 4;
    case DenialCause::kLimit:
      return denial.retry_time.has_value() ? 2 : 3;
    default:
      return 1;
  }
}

void Worsen(std::optional<Denial>& worst, Denial denial) {
  if (worst.has_value()) {
    const int old_gravity = GravityOf(*worst);
    const int new_gravity = GravityOf(denial);
    if (new_gravity < old_gravity) return;
    if (new_gravity == old_gravity &&
        (!denial.retry_time.has_value() || *denial.retry_time <= *worst->retry_time)) {
      return;
    }
  }
  worst = std::move(denial);
}

bool Fits(const Budget& budget, const Bucket& bucket, int64_t amount, int64_t minimum) {
  if (!budget.limit.has_value()) return amount <= INT64_MAX - bucket.posted - bucket.reserved;
  if (budget.frozen || bucket.frozen) return false;
  return *budget.limit > 0 && minimum <= *budget.limit - bucket.posted - bucket.reserved;
}

std::optional<Denial> DenialBy(const Constraint& constraint, int64_t amount, int64_t minimum,
                               absl::Time now, FirstEnd first_end) {
  const Budget& budget = *constraint.budget;
  const Bucket& bucket = *constraint.bucket;
  if (Fits(budget, bucket, amount, minimum)) return std::nullopt;
  Denial denial = {.balance = Balance{budget, bucket}, .requested = amount};
  // A removed budget only counts, also where it had been overrun.
  if (budget.limit.has_value() && (budget.frozen || bucket.frozen)) {
    denial.cause = DenialCause::kFrozen;
    return denial;
  }
  if (!budget.limit.has_value()) {
    denial.cause = DenialCause::kNeverFits;
    return denial;
  }
  const int64_t limit = *budget.limit;
  const int64_t unspent = limit - bucket.posted;  // Both are not negative.
  if (limit > 0 && minimum > limit) {
    denial.cause = DenialCause::kNeverFits;
    return denial;
  }
  const absl::Time end = WindowEnd(budget.window, budget.zone, bucket.window_start);
  if (limit > 0 && minimum <= unspent) {
    denial.cause = DenialCause::kHeldBySiblings;
    denial.retry_time = first_end(&bucket);
  } else {
    denial.cause = DenialCause::kLimit;
    if (limit > 0 && end > now && end < absl::InfiniteFuture()) denial.retry_time = end;
  }
  return denial;
}

std::optional<Denial> DenialByEnvelope(const Reservation& envelope, Metric metric, int64_t amount,
                                       int64_t minimum, FirstEnd first_end) {
  const int64_t unspent = envelope.held.Of(metric) - envelope.settled.Of(metric);
  if (minimum <= unspent - envelope.open_calls.Of(metric)) return std::nullopt;
  Denial denial = {.requested = amount};
  if (minimum > envelope.held.Of(metric)) {
    denial.cause = DenialCause::kNeverFits;
  } else if (minimum > unspent) {
    denial.cause = DenialCause::kLimit;
  } else {
    denial.cause = DenialCause::kHeldBySiblings;
    denial.retry_time = first_end(nullptr);
  }
  return denial;
}

}  // namespace

Admission Admit(const ReserveOrder& order, const std::vector<Constraint>& constraints,
                const Reservation* envelope, absl::Time now, FirstEnd first_end) {
  Admission admission = {.granted = order.amounts};
  for (const Metric metric : kMetrics) {
    const int64_t amount = order.amounts.Of(metric);
    const int64_t minimum = order.minimum.Of(metric);
    int64_t& granted = admission.granted.Of(metric);
    for (const Constraint& constraint : constraints) {
      if (constraint.budget->metric != metric) continue;
      if (std::optional<Denial> denial = DenialBy(constraint, amount, minimum, now, first_end)) {
        Worsen(admission.denial, *std::move(denial));
        continue;
      }
      if (!constraint.budget->limit.has_value()) continue;
      granted = std::min(granted, *constraint.budget->limit - constraint.bucket->posted -
                                      constraint.bucket->reserved);
    }
    if (envelope == nullptr || envelope->held.Of(metric) == 0) continue;
    if (std::optional<Denial> denial =
            DenialByEnvelope(*envelope, metric, amount, minimum, first_end)) {
      Worsen(admission.denial, *std::move(denial));
      continue;
    }
    granted = std::min(granted, envelope->held.Of(metric) - envelope->settled.Of(metric) -
                                    envelope->open_calls.Of(metric));
  }
  if (admission.denial.has_value()) admission.granted = {};
  return admission;
}

}  // namespace slipway::ledger
