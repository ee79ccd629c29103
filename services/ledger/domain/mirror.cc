#include "services/ledger/domain/mirror.h"

#include <algorithm>

#include "lib/base/status_macros.h"
#include "services/ledger/domain/limits.h"

namespace slipway::ledger {

Budget* Mirror::FindBudget(const std::string& id) {
  const auto found = budgets_by_id_.find(id);
  return found == budgets_by_id_.end() ? nullptr : found->second;
}

Budget& Mirror::PutBudget(Budget budget) {
  std::unique_ptr<Budget>& slot = budgets_[budget.id];
  if (slot == nullptr) {
    slot = std::make_unique<Budget>(std::move(budget));
    budgets_by_id_[slot->id] = slot.get();
    budgets_by_scope_[slot->scope].push_back(slot.get());
  } else {
    *slot = std::move(budget);
  }
  return *slot;
}

std::vector<Budget*> Mirror::Covering(const ScopePath& scopes) {
  std::vector<Budget*> covering;
  for (const std::string& scope : CoveringScopes(scopes)) {
    const auto found = budgets_by_scope_.find(scope);
    if (found == budgets_by_scope_.end()) continue;
    covering.insert(covering.end(), found->second.begin(), found->second.end());
  }
  return covering;
}

absl::StatusOr<Bucket*> Mirror::BucketOf(const Budget& budget, absl::Time window_start) {
  const BucketKey key(budget.id, window_start);
  const auto found = buckets_.find(key);
  if (found != buckets_.end()) return found->second.get();
  ASSIGN_OR_RETURN(std::optional<Bucket> stored, archive_.FindBucket(budget.id, window_start));
  if (!stored.has_value()) {
    stored.emplace(Bucket{.budget = budget.id, .window_start = window_start});
    // Also when both are the same: calls may have ended before it in that very microsecond.
    if (budget.since >= window_start) {
      const absl::Time end = WindowEnd(budget.window, budget.zone, window_start);
      ASSIGN_OR_RETURN(const Amounts charged, archive_.SumCharged(budget.path, window_start, end));
      stored->posted = stored->seeded = stored->unrecorded_seed = charged.Of(budget.metric);
    }
  }
  std::unique_ptr<Bucket>& slot = buckets_[key];
  slot = std::make_unique<Bucket>(*std::move(stored));
  return slot.get();
}

void Mirror::PutBucket(Bucket bucket) {
  const BucketKey key(bucket.budget, bucket.window_start);
  buckets_[key] = std::make_unique<Bucket>(std::move(bucket));
}

Reservation* Mirror::FindHeld(const std::string& key) {
  const auto found = held_.find(key);
  return found == held_.end() ? nullptr : found->second.get();
}

Reservation& Mirror::PutHeld(Reservation reservation) {
  auto held = std::make_unique<Reservation>(std::move(reservation));
  Reservation& result = *held;
  expiries_.emplace(result.expire_time, result.key());
  if (result.drawing) drawing_[result.order.envelope].insert(result.key());
  held_[result.key()] = std::move(held);
  return result;
}

void Mirror::MoveExpiry(Reservation& reservation, absl::Time expire_time) {
  expiries_.erase({reservation.expire_time, reservation.key()});
  reservation.expire_time = expire_time;
  expiries_.emplace(expire_time, reservation.key());
}

void Mirror::DropHeld(const std::string& key) {
  if (held_.count(key) > 0) TakeHeld(key);
}

Reservation Mirror::TakeHeld(const std::string& key) {
  const auto found = held_.find(key);
  Reservation taken = std::move(*found->second);
  StopDrawing(taken);
  expiries_.erase({taken.expire_time, key});
  held_.erase(found);
  return taken;
}

std::vector<Reservation*> Mirror::DrawingFrom(const std::string& envelope) {
  std::vector<Reservation*> calls;
  const auto found = drawing_.find(envelope);
  if (found == drawing_.end()) return calls;
  for (const std::string& key : found->second) calls.push_back(FindHeld(key));
  return calls;
}

void Mirror::StopDrawing(Reservation& call) {
  if (!call.drawing) return;
  const auto found = drawing_.find(call.order.envelope);
  if (found != drawing_.end()) {
    found->second.erase(call.key());
    if (found->second.empty()) drawing_.erase(found);
  }
  call.drawing = false;
}

std::vector<std::string> Mirror::Expired(absl::Time time, int limit) const {
  std::vector<std::string> keys;
  for (const auto& [expire_time, key] : expiries_) {
    if (expire_time > time || static_cast<int>(keys.size()) >= limit) break;
    keys.push_back(key);
  }
  return keys;
}

std::optional<absl::Time> Mirror::FirstExpiryOn(const Bucket& bucket) const {
  int scanned = 0;
  for (const auto& [time, key] : expiries_) {
    if (++scanned > kSiblingScanMax) break;
    const std::vector<Leg>& legs = held_.at(key)->legs;
    const bool on_it = std::any_of(legs.begin(), legs.end(), [&](const Leg& leg) {
      return leg.amount > 0 && leg.budget == bucket.budget &&
             leg.window_start == bucket.window_start;
    });
    if (on_it) return time;
  }
  return std::nullopt;
}

std::optional<absl::Time> Mirror::FirstExpiryIn(const std::string& envelope) const {
  const auto found = drawing_.find(envelope);
  if (found == drawing_.end()) return std::nullopt;
  std::optional<absl::Time> first;
  for (const std::string& key : found->second) {
    const absl::Time time = held_.at(key)->expire_time;
    if (!first.has_value() || time < *first) first = time;
  }
  return first;
}

int64_t Mirror::EpochOf(const std::string& owner) const {
  const auto found = epochs_.find(owner);
  return found == epochs_.end() ? 0 : found->second;
}

const FrozenScope* Mirror::FindFrozen(const std::string& scope) const {
  const auto found = frozen_.find(scope);
  return found == frozen_.end() ? nullptr : &found->second;
}

void Mirror::PutFrozen(FrozenScope scope) {
  const std::string name = scope.scope;
  frozen_.insert_or_assign(name, std::move(scope));
}

void Mirror::DropOldBuckets(absl::Time now) {
  for (auto it = buckets_.begin(); it != buckets_.end();) {
    const Bucket& bucket = *it->second;
    const Budget* budget = FindBudget(bucket.budget);
    const bool current = budget == nullptr || budget->WindowStartAt(now) == bucket.window_start;
    if (!current && bucket.reserved == 0) {
      it = buckets_.erase(it);
    } else {
      ++it;
    }
  }
}

}  // namespace slipway::ledger
