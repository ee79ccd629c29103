#include "services/ledger/domain/ledger.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/domain/event_drafts.h"
#include "services/ledger/domain/journal_facts.h"
#include "services/ledger/domain/key.h"
#include "services/ledger/domain/limits.h"

namespace slipway::ledger {
namespace {

absl::Status CheckAmounts(const ReserveOrder& order) {
  static constexpr const char* kFields[] = {"amounts.usd_nanos", "amounts.tokens",
                                            "amounts.requests"};
  static constexpr const char* kMinimumFields[] = {"minimum.usd_nanos", "minimum.tokens",
                                                   "minimum.requests"};
  for (size_t i = 0; i < kMetrics.size(); ++i) {
    const int64_t amount = order.amounts.Of(kMetrics[i]);
    const int64_t minimum = order.minimum.Of(kMetrics[i]);
    if (amount < 0 || amount > kAmountMax) return AmountInvalid(kFields[i], amount, kAmountMax);
    if (minimum < 0 || minimum > amount) return AmountInvalid(kMinimumFields[i], minimum, amount);
  }
  return absl::OkStatus();
}

// The fields in which a repeat of a key differs from its first use.
std::vector<std::string> Differences(const ReserveOrder& a, const ReserveOrder& b) {
  std::vector<std::string> fields;
  const auto compare = [&fields](const char* name, bool same) {
    if (!same) fields.push_back(name);
  };
  compare("kind", a.kind == b.kind);
  compare("scopes", a.scopes == b.scopes);
  compare("amounts", a.amounts == b.amounts);
  compare("minimum", a.minimum == b.minimum);
  compare("envelope", a.envelope == b.envelope);
  compare("lifetime", a.lifetime == b.lifetime);
  compare("owner", a.owner == b.owner);
  compare("owner_epoch", a.owner_epoch == b.owner_epoch);
  compare("provider", a.provider == b.provider);
  compare("model", a.model == b.model);
  compare("service_tier", a.service_tier == b.service_tier);
  return fields;
}

// The start of a window in a time zone, which the budgets of one decision share.
struct WindowOfZone {
  const Budget* budget = nullptr;  // One that has them.
  absl::Time start;
};

absl::Time StartOf(const Budget& budget, absl::Time time, std::array<WindowOfZone, 3>& known) {
  WindowOfZone& window = known[static_cast<size_t>(budget.window) - 1];
  if (window.budget == nullptr || window.budget->time_zone != budget.time_zone) {
    window = {&budget, budget.WindowStartAt(time)};
  }
  return window.start;
}

}  // namespace

absl::StatusOr<std::optional<Reservation>> Ledger::Find(const std::string& key) {
  if (const Reservation* held = mirror_.FindHeld(key)) return *held;
  return archive_.FindReservation(key);
}

absl::StatusOr<ReserveOrder> Ledger::Checked(ReserveOrder order) const {
  RETURN_IF_ERROR(CheckKey(order.key));
  ASSIGN_OR_RETURN(order.scopes, Completed(order.scopes));
  // A call counts as one, whether its caller says so or not; half a call is of no use.
  if (order.kind == ReservationKind::kCall) {
    if (order.amounts.requests == 0) order.amounts.requests = 1;
    if (order.minimum.requests == 0) order.minimum.requests = order.amounts.requests;
  }
  RETURN_IF_ERROR(CheckAmounts(order));
  if (order.lifetime <= absl::ZeroDuration() || order.lifetime > kLifetimeMax) {
    return LifetimeInvalid(order.lifetime);
  }
  order.lifetime = absl::Microseconds(absl::ToInt64Microseconds(order.lifetime));
  if (order.kind == ReservationKind::kEnvelope && !order.envelope.empty()) {
    return EnvelopeUnknown(order.envelope);
  }
  if (order.owner_epoch < 0) return FieldInvalid("owner_epoch", "is negative");
  if (order.owner_epoch > 0 && order.owner.empty()) {
    return FieldInvalid("owner", "is required with owner_epoch");
  }
  for (const std::string* text :
       {&order.owner, &order.provider, &order.model, &order.service_tier}) {
    if (text->size() > kTextBytesMax) {
      return FieldInvalid("owner, provider, model or service_tier", "is longer than 500 bytes");
    }
  }
  return order;
}

absl::StatusOr<const Reservation*> Ledger::FindEnvelope(const ReserveOrder& order) {
  if (order.envelope.empty()) return nullptr;
  ASSIGN_OR_RETURN(const std::optional<Reservation> found, Find(order.envelope));
  if (!found.has_value() || found->order.kind != ReservationKind::kEnvelope) {
    return EnvelopeUnknown(order.envelope);
  }
  if (found->state != ReservationState::kHeld) return EnvelopeClosed(order.envelope, found->state);
  if (!Covers(found->order.scopes, order.scopes)) {
    return ScopeInvalid(CoveringScopes(order.scopes).back(), "the envelope is of another scope");
  }
  return mirror_.FindHeld(order.envelope);
}

absl::StatusOr<std::vector<Constraint>> Ledger::ConstraintsFor(const Reservation& reservation,
                                                               const Reservation* envelope) {
  std::vector<Constraint> constraints;
  const ReserveOrder& order = reservation.order;
  std::array<WindowOfZone, 3> windows;  // A budget of each usually stands on every scope.
  for (const Budget* budget : mirror_.Covering(order.scopes)) {
    const Metric metric = budget->metric;
    if (order.kind == ReservationKind::kEnvelope && order.amounts.Of(metric) == 0) continue;
    if (envelope != nullptr && envelope->held.Of(metric) > 0 &&
        Covers(budget->path, envelope->order.scopes)) {
      continue;  // The envelope holds there.
    }
    ASSIGN_OR_RETURN(Bucket* const bucket,
                     mirror_.BucketOf(*budget, StartOf(*budget, reservation.charge_time, windows)));
    constraints.push_back({budget, bucket});
  }
  return constraints;
}

absl::StatusOr<Reservation> Ledger::Reserve(ReserveOrder asked, absl::Time now, Changes& changes) {
  Reservation reservation;
  ASSIGN_OR_RETURN(reservation.order, Checked(std::move(asked)));
  const ReserveOrder& order = reservation.order;
  ASSIGN_OR_RETURN(const std::optional<Reservation> earlier, Find(order.key));
  if (earlier.has_value()) {
    const std::vector<std::string> fields = Differences(earlier->order, order);
    if (!fields.empty()) return KeyReused(order.key, fields);
    return *earlier;
  }
  RETURN_IF_ERROR(CheckEpoch(order));
  ASSIGN_OR_RETURN(const Reservation* const envelope, FindEnvelope(order));
  const absl::Time time = journal_.NotBefore(now);
  reservation.charge_time = envelope != nullptr ? envelope->charge_time : time;
  reservation.expire_time = time + order.lifetime;
  reservation.drawing = envelope != nullptr;
  ASSIGN_OR_RETURN(const std::vector<Constraint> constraints,
                   ConstraintsFor(reservation, envelope));
  Step step(journal_, changes, time);
  if (order.owner_epoch > mirror_.EpochOf(order.owner)) {
    changes.owners.push_back({order.owner, order.owner_epoch});
    mirror_.PutEpoch(changes.owners.back());
  }
  if (std::optional<Denial> denial = DenialByFreeze(order.scopes, order.amounts.usd_nanos)) {
    return Deny(std::move(reservation), *std::move(denial), step);
  }
  if (std::optional<Denial> denial = DenialWithoutBudget(order, time)) {
    return Deny(std::move(reservation), *std::move(denial), step);
  }
  Admission admission = AdmitNow(order, constraints, envelope, time);
  if (admission.denial.has_value()) {
    return Deny(std::move(reservation), *std::move(admission.denial), step);
  }
  reservation.held = admission.granted;
  return Hold(std::move(reservation), constraints, step);
}

absl::Status Ledger::CheckEpoch(const ReserveOrder& order) const {
  if (order.owner_epoch == 0) return absl::OkStatus();
  const int64_t current = mirror_.EpochOf(order.owner);
  return order.owner_epoch >= current ? absl::OkStatus()
                                      : OwnerFenced(order.owner, order.owner_epoch, current);
}

std::optional<Denial> Ledger::DenialByFreeze(const ScopePath& scopes, int64_t requested) const {
  if (!mirror_.AnyFrozen()) return std::nullopt;
  for (const std::string& scope : CoveringScopes(scopes)) {
    if (mirror_.FindFrozen(scope) == nullptr) continue;
    return Denial{.cause = DenialCause::kFrozen, .requested = requested, .frozen_scope = scope};
  }
  return std::nullopt;
}

Admission Ledger::AdmitNow(const ReserveOrder& order, const std::vector<Constraint>& constraints,
                           const Reservation* envelope, absl::Time now) {
  return Admit(order, constraints, envelope, now, [&](const Bucket* bucket) {
    const std::optional<absl::Time> first =
        bucket != nullptr ? mirror_.FirstExpiryOn(*bucket) : mirror_.FirstExpiryIn(order.envelope);
    return std::max(first.value_or(now), now + kSiblingRetry);
  });
}

std::optional<Denial> Ledger::DenialWithoutBudget(const ReserveOrder& order, absl::Time now) {
  // Who asks for money for a named model will settle by tokens: without a price that cannot be.
  if (order.kind == ReservationKind::kCall && order.amounts.usd_nanos > 0 &&
      !order.provider.empty() && !order.model.empty() &&
      !prices_.Has(order.provider, order.model, now)) {
    return Denial{.cause = DenialCause::kNoPrice, .requested = order.amounts.usd_nanos};
  }
  if (!options_.require_budget) return std::nullopt;
  const std::vector<Budget*> covering = mirror_.Covering(order.scopes);
  const bool limited = std::any_of(covering.begin(), covering.end(),
                                   [](const Budget* budget) { return budget->limit.has_value(); });
  if (limited) return std::nullopt;
  return Denial{.cause = DenialCause::kNoBudget, .requested = order.amounts.usd_nanos};
}

Reservation Ledger::Deny(Reservation reservation, Denial denial, Step& step) {
  reservation.state = ReservationState::kDenied;
  reservation.drawing = false;
  reservation.denial = std::move(denial);
  step.changes().added.push_back(reservation);
  step.changes().events.push_back(BudgetDeniedEvent(reservation));
  step.Record("deny", reservation.key(), &reservation);
  return reservation;
}

Reservation Ledger::Hold(Reservation reservation, const std::vector<Constraint>& constraints,
                         Step& step) {
  reservation.legs.reserve(constraints.size());
  for (const auto& [budget, bucket] : constraints) {
    const int64_t amount = reservation.held.Of(budget->metric);
    // An envelope covers the metrics that it holds; in others its calls hold for themselves.
    if (reservation.order.kind == ReservationKind::kEnvelope && amount == 0) continue;
    step.Post(*budget, *bucket, {.reserved = amount, .limit = budget->limit});
    reservation.legs.push_back({.budget = budget->id,
                                .window_start = bucket->window_start,
                                .metric = budget->metric,
                                .amount = amount});
  }
  if (reservation.drawing) {
    Reservation& envelope = *mirror_.FindHeld(reservation.order.envelope);
    for (const Metric metric : kMetrics) {
      envelope.open_calls.Of(metric) += reservation.held.Of(metric);
    }
  }
  step.changes().added.push_back(reservation);
  step.Record("reserve", reservation.key(), &reservation);
  return mirror_.PutHeld(std::move(reservation)).Outcome();
}

absl::StatusOr<PriceBook::Import> Ledger::ImportPrices(std::vector<Price> rows,
                                                       const std::vector<std::string>& accept,
                                                       absl::Time now, Changes& changes) {
  ASSIGN_OR_RETURN(PriceBook::Import import, prices_.Add(std::move(rows), accept));
  if (import.added.empty()) return import;
  Step step(journal_, changes, journal_.NotBefore(now));
  changes.prices = import.added;
  step.Record("prices", "", nullptr, PriceFacts(import.added));
  return import;
}

}  // namespace slipway::ledger
