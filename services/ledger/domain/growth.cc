// How holds grow in amount and time: the fourth part of Ledger.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/domain/key.h"
#include "services/ledger/domain/ledger.h"
#include "services/ledger/domain/limits.h"
#include "services/ledger/domain/stored_form.h"

namespace slipway::ledger {
namespace {

// Sets the keys of top-ups apart from other request ids, which are printable.
constexpr char kTopUpReply[] = "\ntop_up\n";

std::string TopUpDigest(const TopUpOrder& order) {
  return base::Sha256Hex(absl::StrCat(order.reservation, "\n", order.amounts.usd_nanos, "\n",
                                      order.amounts.tokens, "\n", order.amounts.requests));
}

absl::Status CheckTopUp(const TopUpOrder& order) {
  RETURN_IF_ERROR(CheckKey(order.key));
  bool any = false;
  for (const Metric metric : kMetrics) {
    const int64_t amount = order.amounts.Of(metric);
    if (amount < 0 || amount > kAmountMax) return AmountInvalid("amounts", amount, kAmountMax);
    any = any || amount > 0;
  }
  return any ? absl::OkStatus() : FieldInvalid("amounts", "are all 0; one must be more");
}

// Whether `held` can hold more of what is asked for at all.
absl::Status CheckGrowth(const Reservation& held, const Amounts& amounts) {
  for (const Metric metric : kMetrics) {
    const int64_t amount = amounts.Of(metric);
    if (amount == 0) continue;
    if (held.order.kind == ReservationKind::kEnvelope && held.held.Of(metric) == 0) {
      return FieldInvalid("amounts", "has a metric that the envelope does not hold: its calls do");
    }
    const int64_t room = kAmountMax - held.held.Of(metric);
    if (amount > room) return AmountAboveRoom("one hold", amount, room);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ledger::TopUp> Ledger::TopUp(const TopUpOrder& order, absl::Time now,
                                            Changes& changes) {
  RETURN_IF_ERROR(CheckTopUp(order));
  const std::string id = absl::StrCat(kTopUpReply, order.key);
  ASSIGN_OR_RETURN(const std::optional<StoredReply> earlier, archive_.FindReply(id));
  if (earlier.has_value()) return RepeatedTopUp(order, *earlier);
  ASSIGN_OR_RETURN(const std::optional<Reservation> found, Find(order.reservation));
  if (!found.has_value()) return ReservationUnknown(order.reservation);
  if (found->state != ReservationState::kHeld) {
    return ReservationClosed(order.reservation, found->state);
  }
  Reservation& held = *mirror_.FindHeld(order.reservation);
  RETURN_IF_ERROR(CheckGrowth(held, order.amounts));
  std::vector<Constraint> constraints;
  for (const Leg& leg : held.legs) {
    ASSIGN_OR_RETURN(Bucket* const bucket, BucketOf(leg));
    constraints.push_back({mirror_.FindBudget(leg.budget), bucket});
  }
  const absl::Time time = journal_.NotBefore(now);
  const Reservation* const envelope =
      held.drawing ? mirror_.FindHeld(held.order.envelope) : nullptr;
  const ReserveOrder delta = {
      .amounts = order.amounts, .minimum = order.amounts, .envelope = held.order.envelope};
  std::optional<Denial> denial = DenialByFreeze(held.order.scopes, order.amounts.usd_nanos);
  if (!denial.has_value()) denial = AdmitNow(delta, constraints, envelope, time).denial;
  Step step(journal_, changes, time);
  if (!denial.has_value()) Grow(held, order.amounts, step);
  changes.replies.push_back(
      {id, TopUpDigest(order), denial.has_value() ? EncodeDenial(*denial) : std::string()});
  step.Record(denial.has_value() ? "deny_top_up" : "top_up", held.key(), &held);
  return ledger::TopUp{held, std::move(denial)};
}

absl::StatusOr<ledger::TopUp> Ledger::RepeatedTopUp(const TopUpOrder& order,
                                                    const StoredReply& reply) {
  if (reply.digest != TopUpDigest(order)) return KeyReused(order.key, {"reservation or amounts"});
  ASSIGN_OR_RETURN(std::optional<Reservation> found, Find(order.reservation));
  if (!found.has_value()) return ReservationUnknown(order.reservation);
  ledger::TopUp repeated = {.reservation = *std::move(found)};
  if (!reply.body.empty()) {
    ASSIGN_OR_RETURN(repeated.denial, DecodeDenial(reply.body));
  }
  return repeated;
}

void Ledger::Grow(Reservation& held, const Amounts& amounts, Step& step) {
  for (const Metric metric : kMetrics) {
    held.held.Of(metric) += amounts.Of(metric);
    if (held.drawing) {
      mirror_.FindHeld(held.order.envelope)->open_calls.Of(metric) += amounts.Of(metric);
    }
  }
  for (Leg& leg : held.legs) {
    const Metric metric = leg.metric;
    int64_t amount = leg.amount + amounts.Of(metric);
    if (held.order.kind == ReservationKind::kEnvelope) {
      // Of an envelope that a call has overrun, a part is spent already.
      amount = std::max(held.held.Of(metric) - held.settled.Of(metric), held.open_calls.Of(metric));
    }
    const Budget& budget = *mirror_.FindBudget(leg.budget);
    step.Post(budget, **BucketOf(leg), {.reserved = amount - leg.amount, .limit = budget.limit});
    leg.amount = amount;
  }
  step.changes().updated.push_back(held);
}

absl::StatusOr<Reservation> Ledger::Extend(const std::string& key, absl::Duration lifetime,
                                           absl::Time now, Changes& changes) {
  if (lifetime <= absl::ZeroDuration() || lifetime > kLifetimeMax) return LifetimeInvalid(lifetime);
  ASSIGN_OR_RETURN(const std::optional<Reservation> found, Find(key));
  if (!found.has_value()) return ReservationUnknown(key);
  if (found->state != ReservationState::kHeld) return ReservationClosed(key, found->state);
  const absl::Time time = journal_.NotBefore(now);
  Reservation& held = *mirror_.FindHeld(key);
  const absl::Time expire_time = time + absl::Microseconds(absl::ToInt64Microseconds(lifetime));
  if (expire_time <= held.expire_time) return held;
  mirror_.MoveExpiry(held, expire_time);
  Step step(journal_, changes, time);
  changes.updated.push_back(held);
  step.Record("extend", key, &held);
  return held;
}

}  // namespace slipway::ledger
