#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/ledger/domain/archive.h"
#include "services/ledger/domain/budget.h"
#include "services/ledger/domain/changes.h"
#include "services/ledger/domain/reservation.h"

namespace slipway::ledger {

// What decisions need, in memory: all budgets, the buckets in use, the open holds. Equal to the
// tables after every change. Pointers stay good until what they point at is dropped. Not
// thread-safe.
class Mirror final {
 public:
  explicit Mirror(Archive& archive) : archive_(archive) {}

  Budget* FindBudget(const std::string& id);
  const std::map<std::string, std::unique_ptr<Budget>>& budgets() const { return budgets_; }
  Budget& PutBudget(Budget budget);

  // The budgets of all covering scopes of a completed path, widest scope first.
  std::vector<Budget*> Covering(const ScopePath& scopes);

  // The bucket of `budget` for the window that starts at `window_start`: from memory, disk, or new
  // and seeded with what was spent in that window before the budget counted.
  absl::StatusOr<Bucket*> BucketOf(const Budget& budget, absl::Time window_start);

  // Puts a stored bucket into memory.
  void PutBucket(Bucket bucket);

  Reservation* FindHeld(const std::string& key);
  Reservation& PutHeld(Reservation reservation);
  void MoveExpiry(Reservation& reservation, absl::Time expire_time);
  void DropHeld(const std::string& key);
  // Drops the open hold `key` and returns it.
  Reservation TakeHeld(const std::string& key);
  const std::unordered_map<std::string, std::unique_ptr<Reservation>>& held() const {
    return held_;
  }

  // The open calls that draw from an envelope.
  std::vector<Reservation*> DrawingFrom(const std::string& envelope);
  void StopDrawing(Reservation& call);

  // Keys of up to `limit` holds that expired at or before `time`, the earliest first.
  std::vector<std::string> Expired(absl::Time time, int limit) const;

  // When the first hold on `bucket`, or of the calls that draw from `envelope`, expires; absent
  // when none does, or none of the first kSiblingScanMax holds is one.
  std::optional<absl::Time> FirstExpiryOn(const Bucket& bucket) const;
  std::optional<absl::Time> FirstExpiryIn(const std::string& envelope) const;

  // The first epoch of `owner` that may reserve; 0 when it never counted its lives.
  int64_t EpochOf(const std::string& owner) const;
  void PutEpoch(const OwnerEpoch& owner) { epochs_[owner.owner] = owner.epoch; }

  bool AnyFrozen() const { return !frozen_.empty(); }
  const FrozenScope* FindFrozen(const std::string& scope) const;
  void PutFrozen(FrozenScope scope);
  void DropFrozen(const std::string& scope) { frozen_.erase(scope); }

  // Forgets buckets of windows that have ended and hold nothing.
  void DropOldBuckets(absl::Time now);

 private:
  using BucketKey = std::pair<std::string, absl::Time>;
  struct HashBucketKey {
    size_t operator()(const BucketKey& key) const {
      return std::hash<std::string>()(key.first) ^
             std::hash<int64_t>()(absl::ToUnixMicros(key.second));
    }
  };

  Archive& archive_;
  std::map<std::string, std::unique_ptr<Budget>> budgets_;
  std::unordered_map<std::string, Budget*> budgets_by_id_;  // Every leg is asked for its own.
  std::unordered_map<std::string, std::vector<Budget*>> budgets_by_scope_;
  std::unordered_map<BucketKey, std::unique_ptr<Bucket>, HashBucketKey> buckets_;
  std::unordered_map<std::string, std::unique_ptr<Reservation>> held_;
  std::set<std::pair<absl::Time, std::string>> expiries_;
  std::map<std::string, std::set<std::string>> drawing_;
  std::unordered_map<std::string, int64_t> epochs_;
  std::unordered_map<std::string, FrozenScope> frozen_;
};

}  // namespace slipway::ledger
