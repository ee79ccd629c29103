#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "services/ledger/domain/budget.h"
#include "services/ledger/domain/ledger_store.h"

namespace slipway::ledger {

// Sums that cannot overflow, whatever the tables say.
__extension__ using WideSum = __int128;

std::string WideText(WideSum value);

// What an audit adds up for one bucket, from each source for itself.
struct BucketSums {
  Bucket stored;
  WideSum leg_reserved = 0;  // Legs of open holds.
  WideSum leg_posted = 0;
  WideSum usage = 0;  // Of calls in its scope and window.
  WideSum replayed_posted = 0;
  WideSum replayed_reserved = 0;
  WideSum replayed_overage = 0;
};

// Every budget and bucket, found by what calls know of them. Memory grows with the buckets, not
// with calls.
class AuditSums final {
 public:
  void AddBudget(Budget budget);
  void AddBucket(Bucket bucket);

  const std::vector<Budget>& budgets() const { return budgets_; }
  std::vector<BucketSums>& buckets() { return buckets_; }

  // The index of a budget; -1 when there is none.
  int BudgetOf(const std::string& id) const;

  // Null when there is none.
  BucketSums* Find(int budget, int64_t window_start_us);

  // The start of the window of a budget that a time is in; remembers the last one.
  int64_t WindowStartOf(int budget, int64_t time_us);

  // The budgets of a scope.
  const std::vector<int>& BudgetsOf(const std::string& scope) const;

 private:
  struct CachedWindow {
    int64_t start_us = 0;
    int64_t end_us = 0;
  };

  std::vector<Budget> budgets_;
  std::vector<CachedWindow> windows_;
  std::vector<BucketSums> buckets_;
  absl::flat_hash_map<std::string, int> by_id_;
  absl::flat_hash_map<std::string, std::vector<int>> by_scope_;
  absl::flat_hash_map<std::pair<int, int64_t>, size_t> by_window_;
};

// Counts the rows that an audit reads and asks, once in many, whether it is still wanted.
class RowCount final {
 public:
  explicit RowCount(IsCancelled is_cancelled) : is_cancelled_(std::move(is_cancelled)) {}

  // Fails with AuditCancelled.
  absl::Status Next();

 private:
  const IsCancelled is_cancelled_;
  int64_t rows_ = 0;
};

// Adds a line unless there are enough.
void AddBreach(AuditCheck& check, std::string line);

// Microseconds, as window starts are stored.
int64_t AuditMicros(absl::Time time);

// "budget b1 window 0", as breaches name a bucket.
std::string AuditNameOf(const Bucket& bucket);

}  // namespace slipway::ledger
