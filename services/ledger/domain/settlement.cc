// How holds end: the second half of Ledger.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/domain/event_drafts.h"
#include "services/ledger/domain/journal_facts.h"
#include "services/ledger/domain/key.h"
#include "services/ledger/domain/ledger.h"
#include "services/ledger/domain/limits.h"

namespace slipway::ledger {
namespace {

std::string DigestOf(const SettleOrder& order) {
  std::string text = absl::StrCat(order.outcome_unknown, "\n", order.provider, "\n", order.model,
                                  "\n", order.service_tier, "\n", order.provider_request_id, "\n");
  if (order.tokens.has_value()) {
    const TokenCounts& tokens = *order.tokens;
    absl::StrAppend(&text, tokens.input, ",", tokens.cache_read, ",", tokens.cache_write, ",",
                    tokens.cache_write_long, ",", tokens.output, ",");
    absl::StrAppend(&text, tokens.reasoning, ",", tokens.searches, "\n");
  }
  if (order.cost_usd_nanos.has_value()) absl::StrAppend(&text, *order.cost_usd_nanos);
  return base::Sha256Hex(text);
}

// Sets the corrections of late settlements apart from those of callers, whose keys are printable.
constexpr char kLateKey[] = "\nlate\n";
constexpr char kReleaseDigest[] = "released";  // And the proof.

}  // namespace

// What a call is charged.
struct Ledger::Charge {
  Amounts spent;
  TokenCounts tokens;
  std::string provider;
  std::string model;
  std::string service_tier;
  int64_t price = 0;
  Basis basis = Basis::kReported;
};

absl::StatusOr<Ledger::Charge> Ledger::ChargeFor(const SettleOrder& order,
                                                 const Reservation& reservation) const {
  const ReserveOrder& asked = reservation.order;
  Charge charge = {.spent = {.requests = reservation.held.requests},
                   .tokens = order.tokens.value_or(TokenCounts()),
                   .provider = order.provider.empty() ? asked.provider : order.provider,
                   .model = order.model.empty() ? asked.model : order.model,
                   .service_tier = NormalisedTier(order.service_tier.empty() ? asked.service_tier
                                                                             : order.service_tier)};
  if (std::max({charge.provider.size(), charge.model.size(), charge.service_tier.size(),
                order.provider_request_id.size()}) > kTextBytesMax) {
    return FieldInvalid("provider, model, service_tier or provider_request_id",
                        "is longer than 500 bytes");
  }
  // Checks the ranges of the tokens whatever the price.
  RETURN_IF_ERROR(CostOf(Price(), charge.tokens).status());
  charge.spent.tokens = charge.tokens.All();
  if (order.cost_usd_nanos.has_value()) {
    charge.spent.usd_nanos = *order.cost_usd_nanos;
    if (charge.spent.usd_nanos < 0 || charge.spent.usd_nanos > kAmountMax) {
      return AmountInvalid("cost_usd_nanos", charge.spent.usd_nanos, kAmountMax);
    }
  } else if (order.tokens.has_value()) {
    const absl::Time time = reservation.charge_time;
    const Price* price =
        prices_.Find(charge.provider, charge.model, charge.service_tier, time, charge.tokens);
    if (price == nullptr) {  // Providers answer with dated names of the model that was asked for.
      price = prices_.Find(asked.provider, asked.model, charge.service_tier, time, charge.tokens);
    }
    if (price != nullptr) {
      ASSIGN_OR_RETURN(charge.spent.usd_nanos, CostOf(*price, charge.tokens));
      charge.price = price->id;
    } else if (!order.outcome_unknown) {
      return PriceUnknownForSettlement(charge.provider, charge.model);
    }
  } else if (!order.outcome_unknown) {
    return FieldInvalid("tokens", "are required unless the outcome is unknown or cost is named");
  }
  if (order.outcome_unknown) {
    charge.basis = Basis::kEstimatedUpper;
    for (const Metric metric : kMetrics) {
      charge.spent.Of(metric) = std::max(charge.spent.Of(metric), reservation.held.Of(metric));
    }
  }
  return charge;
}

absl::StatusOr<Settlement> Ledger::Repeated(const Reservation& reservation,
                                            const std::string& digest) {
  if (reservation.end_digest != digest) {
    return ReservationClosed(reservation.key(), reservation.state);
  }
  ASSIGN_OR_RETURN(std::optional<UsageRecord> usage, archive_.FindUsage(reservation.key()));
  return Settlement{reservation, std::move(usage)};
}

absl::StatusOr<Settlement> Ledger::Settle(const SettleOrder& order, absl::Time now,
                                          Changes& changes) {
  if (mirror_.FindHeld(order.key) == nullptr) return SettleEnded(order, now, changes);
  Reservation& held = *mirror_.FindHeld(order.key);
  const bool is_call = held.order.kind == ReservationKind::kCall;
  Charge charge;
  if (is_call) {
    ASSIGN_OR_RETURN(charge, ChargeFor(order, held));
    RETURN_IF_ERROR(CheckRoom(held, charge.spent));
  } else {
    RETURN_IF_ERROR(CheckRoom(held, {}));
  }
  Step step(journal_, changes, journal_.NotBefore(now));
  held.state = ReservationState::kSettled;
  held.end_digest = DigestOf(order);
  Settlement settlement;
  if (is_call) {
    EndCall(held, charge.spent, step);
    settlement.usage = UsageRecord{.reservation = order.key,
                                   .record_time = step.time(),
                                   .charge_time = held.charge_time,
                                   .scopes = held.order.scopes,
                                   .provider = charge.provider,
                                   .model = charge.model,
                                   .service_tier = charge.service_tier,
                                   .tokens = charge.tokens,
                                   .charged = charge.spent,
                                   .first_cost = charge.spent.usd_nanos,
                                   .basis = charge.basis,
                                   .provider_request_id = order.provider_request_id,
                                   .price = charge.price};
    step.AddUsage(*settlement.usage);
  } else {
    EndEnvelope(held, step);
  }
  step.Record("settle", order.key, &held);
  changes.updated.push_back(mirror_.TakeHeld(order.key));
  settlement.reservation = changes.updated.back().Outcome();
  return settlement;
}

absl::StatusOr<Settlement> Ledger::SettleEnded(const SettleOrder& order, absl::Time now,
                                               Changes& changes) {
  ASSIGN_OR_RETURN(std::optional<Reservation> found, archive_.FindReservation(order.key));
  if (!found.has_value()) return ReservationUnknown(order.key);
  switch (found->state) {
    case ReservationState::kSettled:
    case ReservationState::kSettledLate:
      return Repeated(*found, DigestOf(order));
    case ReservationState::kExpiredCharged:
      if (found->order.kind == ReservationKind::kCall) {
        return SettleLate(order, *std::move(found), now, changes);
      }
      [[fallthrough]];
    default:
      return ReservationClosed(order.key, found->state);
  }
}

absl::StatusOr<Settlement> Ledger::SettleLate(const SettleOrder& order, Reservation reservation,
                                              absl::Time now, Changes& changes) {
  ASSIGN_OR_RETURN(const Charge charge, ChargeFor(order, reservation));
  ASSIGN_OR_RETURN(const std::optional<UsageRecord> before, archive_.FindUsage(order.key));
  if (!before.has_value()) return ReservationUnknown(order.key);
  RETURN_IF_ERROR(CheckRoom(reservation, charge.spent));
  Step step(journal_, changes, journal_.NotBefore(now));
  Amounts delta;
  for (const Metric metric : kMetrics) {
    delta.Of(metric) = charge.spent.Of(metric) - before->charged.Of(metric);
  }
  PostCorrection(reservation, delta, step);
  UsageRecord after = *before;
  after.tokens = charge.tokens;
  after.charged = charge.spent;
  after.basis = order.outcome_unknown ? Basis::kEstimatedUpper : Basis::kReconciled;
  after.provider_request_id = order.provider_request_id;
  after.price = charge.price;
  step.CorrectUsage(*before, after);
  changes.adjustments.push_back({.key = absl::StrCat(kLateKey, order.key),
                                 .reservation = order.key,
                                 .time = step.time(),
                                 .delta_usd_nanos = delta.usd_nanos,
                                 .evidence = "settled after its expiry"});
  reservation.state = ReservationState::kSettledLate;
  reservation.settled = charge.spent;
  reservation.end_digest = DigestOf(order);
  changes.updated.push_back(reservation);
  step.Record("settle_late", order.key, &reservation, DeltaFacts(delta));
  return Settlement{reservation, after};
}

void Ledger::PostCorrection(Reservation& call, const Amounts& delta, Step& step) {
  for (Leg& leg : call.legs) {
    const int64_t change = delta.Of(leg.metric);
    leg.posted += change;
    step.Post(*mirror_.FindBudget(leg.budget), **BucketOf(leg), {.posted = change});
  }
  // Budgets that began to count after the call had ended know it only as a part of their seed.
  for (const Budget* budget : mirror_.Covering(call.order.scopes)) {
    const bool has_leg = std::any_of(call.legs.begin(), call.legs.end(),
                                     [&](const Leg& leg) { return leg.budget == budget->id; });
    if (has_leg) continue;
    Bucket& bucket = **mirror_.BucketOf(*budget, budget->WindowStartAt(call.charge_time));
    step.CorrectSeed(bucket, delta.Of(budget->metric));
  }
}

absl::StatusOr<Reservation> Ledger::Release(const std::string& key, Proof proof, absl::Time now,
                                            Changes& changes) {
  ASSIGN_OR_RETURN(const std::optional<Reservation> found, Find(key));
  if (!found.has_value()) return ReservationUnknown(key);
  if (found->state == ReservationState::kReleased) return *found;  // Any proof will do.
  if (found->state != ReservationState::kHeld) return ReservationClosed(key, found->state);
  Reservation& held = *mirror_.FindHeld(key);
  RETURN_IF_ERROR(CheckRoom(held, {}));
  Step step(journal_, changes, journal_.NotBefore(now));
  held.state = ReservationState::kReleased;
  held.end_digest = absl::StrCat(kReleaseDigest, ":", NameOf(proof));
  if (held.order.kind == ReservationKind::kCall) {
    EndCall(held, {}, step);
  } else {
    EndEnvelope(held, step);
  }
  changes.updated.push_back(held);
  step.Record("release", key, &held, {{"proof", NameOf(proof)}});
  mirror_.DropHeld(key);
  return changes.updated.back().Outcome();
}

absl::StatusOr<Reservation> Ledger::Adjust(const AdjustOrder& order, absl::Time now,
                                           Changes& changes) {
  RETURN_IF_ERROR(CheckKey(order.key));
  if (order.evidence.size() > kTextBytesMax) {
    return FieldInvalid("evidence", "is longer than 500 bytes");
  }
  ASSIGN_OR_RETURN(std::optional<Reservation> found, Find(order.reservation));
  ASSIGN_OR_RETURN(const std::optional<Adjustment> earlier, archive_.FindAdjustment(order.key));
  if (earlier.has_value()) {
    std::vector<std::string> fields;
    if (earlier->reservation != order.reservation) fields.push_back("reservation");
    if (earlier->delta_usd_nanos != order.delta_usd_nanos) fields.push_back("delta_usd_nanos");
    if (earlier->evidence != order.evidence) fields.push_back("evidence");
    if (!fields.empty()) return KeyReused(order.key, fields);
    return *found;
  }
  if (!found.has_value() || found->order.kind != ReservationKind::kCall ||
      found->state == ReservationState::kDenied) {
    return ReservationUnknown(order.reservation);
  }
  if (found->state == ReservationState::kHeld) return ReservationOpen(order.reservation);
  const int64_t delta = order.delta_usd_nanos;
  if (delta > kAmountMax) return AmountInvalid("delta_usd_nanos", delta, kAmountMax);
  if (delta < -found->settled.usd_nanos) {
    return DeltaBelowCost(delta, found->settled.usd_nanos);
  }
  RETURN_IF_ERROR(CheckRoom(*found, {.usd_nanos = delta}));
  ASSIGN_OR_RETURN(const std::optional<UsageRecord> before, archive_.FindUsage(order.reservation));
  Step step(journal_, changes, journal_.NotBefore(now));
  PostCorrection(*found, {.usd_nanos = delta}, step);
  found->settled.usd_nanos += delta;
  UsageRecord after = before.value_or(UsageRecord{.reservation = order.reservation,
                                                  .record_time = step.time(),
                                                  .charge_time = found->charge_time,
                                                  .scopes = found->order.scopes,
                                                  .provider = found->order.provider,
                                                  .model = found->order.model,
                                                  .service_tier = "default"});
  after.charged.usd_nanos += delta;
  after.basis = Basis::kReconciled;
  if (before.has_value()) {
    step.CorrectUsage(*before, after);
  } else {  // It was released, yet something was billed.
    step.AddUsage(after);
  }
  changes.adjustments.push_back({.key = order.key,
                                 .reservation = order.reservation,
                                 .time = step.time(),
                                 .delta_usd_nanos = delta,
                                 .evidence = order.evidence});
  changes.updated.push_back(*found);
  step.Record("adjust", order.reservation, &*found, DeltaFacts({.usd_nanos = delta}));
  return *found;
}

absl::StatusOr<Bucket*> Ledger::BucketOf(const Leg& leg) {
  return mirror_.BucketOf(*mirror_.FindBudget(leg.budget), leg.window_start);
}

absl::Status Ledger::CheckRoom(const Reservation& call, const Amounts& spent) {
  if (call.state != ReservationState::kHeld) {
    // Budgets that came after it ended have no leg of it, and yet are corrected.
    for (const Budget* budget : mirror_.Covering(call.order.scopes)) {
      const absl::Time start = budget->WindowStartAt(call.charge_time);
      RETURN_IF_ERROR(mirror_.BucketOf(*budget, start).status());
    }
  }
  std::vector<const Reservation*> holders = {&call};
  if (call.drawing) holders.push_back(mirror_.FindHeld(call.order.envelope));
  for (const Reservation* holder : holders) {
    for (const Leg& leg : holder->legs) {
      ASSIGN_OR_RETURN(const Bucket* const bucket, BucketOf(leg));
      const int64_t room = INT64_MAX - bucket->posted - bucket->reserved;
      if (spent.Of(leg.metric) > room) {
        return AmountAboveRoom(absl::StrCat("budgets/", leg.budget), spent.Of(leg.metric), room);
      }
    }
  }
  return absl::OkStatus();
}

void Ledger::EndCall(Reservation& call, const Amounts& spent, Step& step) {
  const auto overage = [&](Metric metric) {
    return std::max<int64_t>(0, spent.Of(metric) - call.held.Of(metric));
  };
  for (Leg& leg : call.legs) {
    leg.posted = spent.Of(leg.metric);
    const Budget& budget = *mirror_.FindBudget(leg.budget);
    step.Post(budget, **mirror_.BucketOf(budget, leg.window_start),
              {.posted = leg.posted, .reserved = -leg.amount, .overage = overage(leg.metric)});
    leg.amount = 0;
  }
  if (call.drawing) {
    Reservation& envelope = *mirror_.FindHeld(call.order.envelope);
    for (const Metric metric : kMetrics) {
      envelope.settled.Of(metric) += spent.Of(metric);
      envelope.open_calls.Of(metric) -= call.held.Of(metric);
    }
    for (Leg& leg : envelope.legs) {
      const Metric metric = leg.metric;
      // What its open calls hold stays held even when another call overran.
      const int64_t rest = std::max(envelope.held.Of(metric) - envelope.settled.Of(metric),
                                    envelope.open_calls.Of(metric));
      step.Post(
          *mirror_.FindBudget(leg.budget), **BucketOf(leg),
          {.posted = spent.Of(metric), .reserved = rest - leg.amount, .overage = overage(metric)});
      leg.amount = rest;
      call.legs.push_back({.budget = leg.budget,
                           .window_start = leg.window_start,
                           .metric = metric,
                           .posted = spent.Of(metric)});
    }
    step.changes().updated.push_back(envelope);
    mirror_.StopDrawing(call);
  }
  call.settled = spent;
}

void Ledger::EndEnvelope(Reservation& envelope, Step& step) {
  // Calls under way keep their part, from now on as holds of their own.
  for (Reservation* call : mirror_.DrawingFrom(envelope.key())) {
    for (const Leg& leg : envelope.legs) {
      call->legs.push_back({.budget = leg.budget,
                            .window_start = leg.window_start,
                            .metric = leg.metric,
                            .amount = call->held.Of(leg.metric)});
    }
    mirror_.StopDrawing(*call);
    step.changes().updated.push_back(*call);
  }
  for (Leg& leg : envelope.legs) {
    step.Post(*mirror_.FindBudget(leg.budget), **BucketOf(leg),
              {.reserved = envelope.open_calls.Of(leg.metric) - leg.amount});
    leg.amount = 0;
  }
  envelope.open_calls = {};
}

int64_t Ledger::CloseAsExpired(Reservation& reservation, Step& step) {
  reservation.state = ReservationState::kExpiredCharged;
  if (reservation.order.kind == ReservationKind::kEnvelope) {
    EndEnvelope(reservation, step);
    step.changes().events.push_back(HoldExpiredEvent(reservation, 0));
    return 0;
  }
  const Amounts charged = reservation.held;
  EndCall(reservation, charged, step);
  step.AddUsage({.reservation = reservation.key(),
                 .record_time = step.time(),
                 .charge_time = reservation.charge_time,
                 .scopes = reservation.order.scopes,
                 .provider = reservation.order.provider,
                 .model = reservation.order.model,
                 .service_tier = NormalisedTier(reservation.order.service_tier),
                 .charged = charged,
                 .first_cost = charged.usd_nanos,
                 .basis = Basis::kEstimatedUpper});
  step.changes().events.push_back(HoldExpiredEvent(reservation, charged.usd_nanos));
  return charged.usd_nanos;
}

absl::StatusOr<Closing> Ledger::Close(const std::vector<std::string>& keys,
                                      absl::string_view operation, absl::Time now,
                                      Changes& changes) {
  for (const std::string& key : keys) {
    const Reservation& held = *mirror_.FindHeld(key);
    RETURN_IF_ERROR(CheckRoom(held, held.held));
  }
  Closing closing;
  Step step(journal_, changes, journal_.NotBefore(now));
  for (const std::string& key : keys) {
    Reservation& held = *mirror_.FindHeld(key);
    closing.charged_usd_nanos += CloseAsExpired(held, step);
    ++closing.closed;
    changes.updated.push_back(held);
    step.Record(operation, key, &held);
    mirror_.DropHeld(key);
  }
  return closing;
}

absl::StatusOr<Closing> Ledger::CloseExpired(absl::Time now, Changes& changes) {
  const absl::Time time = journal_.NotBefore(now);
  mirror_.DropOldBuckets(time);
  return Close(mirror_.Expired(time, kCloseBatch), "expire", now, changes);
}

absl::StatusOr<Closing> Ledger::CloseOwner(const std::string& owner, int64_t epoch_before,
                                           absl::Time now, Changes& changes) {
  std::vector<std::string> keys;
  for (const auto& [key, held] : mirror_.held()) {
    const ReserveOrder& order = held->order;
    if (order.owner == owner && (epoch_before == 0 || order.owner_epoch < epoch_before)) {
      keys.push_back(key);
    }
  }
  if (epoch_before > mirror_.EpochOf(owner)) {
    Step step(journal_, changes, journal_.NotBefore(now));
    changes.owners.push_back({owner, epoch_before});
    mirror_.PutEpoch(changes.owners.back());
    step.Record("fence_owner", owner, nullptr, {{"epoch", epoch_before}});
  }
  std::sort(keys.begin(), keys.end());
  if (keys.size() > kCloseBatch) keys.resize(kCloseBatch);
  return Close(keys, "close_owner", now, changes);
}

}  // namespace slipway::ledger
