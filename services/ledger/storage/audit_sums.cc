#include "services/ledger/storage/audit_sums.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/domain/limits.h"

namespace slipway::ledger {

std::string WideText(WideSum value) {
  if (value == 0) return "0";
  const bool negative = value < 0;
  std::string digits;
  for (; value != 0; value /= 10) {
    const int digit = static_cast<int>(value % 10);
    digits.push_back(static_cast<char>('0' + (digit < 0 ? -digit : digit)));
  }
  if (negative) digits.push_back('-');
  std::reverse(digits.begin(), digits.end());
  return digits;
}

int64_t AuditMicros(absl::Time time) {
  return time == absl::InfiniteFuture() ? INT64_MAX : absl::ToUnixMicros(time);
}

absl::Status RowCount::Next() {
  constexpr int64_t kRowsBetween = 1'024;
  if (++rows_ % kRowsBetween != 0 || is_cancelled_ == nullptr || !is_cancelled_()) {
    return absl::OkStatus();
  }
  return AuditCancelled();
}

void AddBreach(AuditCheck& check, std::string line) {
  if (check.breaches.size() < kBreachesMax) check.breaches.push_back(std::move(line));
}

std::string AuditNameOf(const Bucket& bucket) {
  return absl::StrCat("budget ", bucket.budget, " window ", AuditMicros(bucket.window_start));
}

void AuditSums::AddBudget(Budget budget) {
  const int index = static_cast<int>(budgets_.size());
  by_id_[budget.id] = index;
  by_scope_[budget.scope].push_back(index);
  budgets_.push_back(std::move(budget));
  windows_.emplace_back();
}

void AuditSums::AddBucket(Bucket bucket) {
  const int budget = BudgetOf(bucket.budget);
  by_window_[{budget, AuditMicros(bucket.window_start)}] = buckets_.size();
  buckets_.push_back({.stored = std::move(bucket)});
}

int AuditSums::BudgetOf(const std::string& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? -1 : found->second;
}

BucketSums* AuditSums::Find(int budget, int64_t window_start_us) {
  const auto found = by_window_.find({budget, window_start_us});
  return found == by_window_.end() ? nullptr : &buckets_[found->second];
}

int64_t AuditSums::WindowStartOf(int budget, int64_t time_us) {
  CachedWindow& cached = windows_[static_cast<size_t>(budget)];
  if (time_us < cached.start_us || time_us >= cached.end_us) {
    const Budget& of = budgets_[static_cast<size_t>(budget)];
    const absl::Time time = absl::FromUnixMicros(time_us);
    cached = {.start_us = AuditMicros(of.WindowStartAt(time)),
              .end_us = AuditMicros(WindowEnd(of.window, of.zone, time))};
  }
  return cached.start_us;
}

const std::vector<int>& AuditSums::BudgetsOf(const std::string& scope) const {
  static const auto& none = *new std::vector<int>();
  const auto found = by_scope_.find(scope);
  return found == by_scope_.end() ? none : found->second;
}

}  // namespace slipway::ledger
