#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/reply.h"
#include "services/ledger/domain/ledger.h"
#include "services/ledger/domain/page.h"

namespace slipway::ledger {

// What ReservationFilter and UsageFilter fields leave empty matches everything.
struct ReservationFilter {
  std::optional<ReservationState> state;
  std::string owner;
  std::string scope;
  int64_t owner_epoch_before = 0;
};

struct UsageFilter {
  std::string scope;
  absl::Time start = absl::InfinitePast();
  absl::Time end = absl::InfiniteFuture();
};

struct PriceFilter {
  std::string provider;
  std::string model;
};

// What was spent on a budget on one day, in units of its metric.
struct SpendDay {
  absl::Time day;  // Its first moment in UTC.
  int64_t spent = 0;
};

struct BudgetHistory {
  Balance balance;
  std::vector<SpendDay> days;  // On which something was spent; oldest first.
};

// A price file that a caller sends instead of rows.
struct PriceText {
  std::string text;
  std::string name;  // For errors.
};

struct AuditCheck {
  std::string invariant;
  int64_t checked = 0;
  std::vector<std::string> breaches;  // At most kBreachesMax.
};

// Asked now and then on the thread that works; null: never.
using IsCancelled = std::function<bool()>;

struct AuditResult {
  std::vector<AuditCheck> checks;
  absl::Time time;
};

// The ledger on disk. Writes are decided in the order of these calls and answered when they are
// durable; they do not block. Reads block on disk and see every write that was answered before.
// Errors are those of Ledger. Thread-safe.
class LedgerStore {
 public:
  virtual ~LedgerStore() = default;

  virtual void Reserve(ReserveOrder order, base::Reply<Reservation> reply) = 0;
  virtual void Settle(SettleOrder order, base::Reply<Settlement> reply) = 0;
  virtual void Release(std::string key, Proof proof, base::Reply<Reservation> reply) = 0;
  virtual void Extend(std::string key, absl::Duration lifetime, base::Reply<Reservation> reply) = 0;
  virtual void TopUp(TopUpOrder order, base::Reply<ledger::TopUp> reply) = 0;
  virtual void Adjust(AdjustOrder order, base::Reply<Reservation> reply) = 0;
  virtual void CloseOwner(std::string owner, int64_t epoch_before, base::Reply<Closing> reply) = 0;
  virtual void FreezeScope(FreezeOrder order, base::Reply<std::optional<FrozenScope>> reply) = 0;
  virtual void SetBudget(BudgetOrder order, base::Reply<Balance> reply) = 0;
  virtual void DeleteBudget(std::string id, std::string actor, base::Reply<std::string> reply) = 0;
  virtual void ImportPrices(std::vector<Price> rows, std::vector<std::string> accept,
                            base::Reply<PriceBook::Import> reply) = 0;
  // Answers from memory, in the order of the writes.
  virtual void WorstCase(QuoteOrder order, base::Reply<Quote> reply) = 0;

  virtual absl::StatusOr<Page<Reservation>> ListReservations(const ReservationFilter& filter,
                                                             const PageRequest& page) = 0;
  virtual absl::StatusOr<Page<Balance>> ListBalances(const std::string& scope,
                                                     const PageRequest& page) = 0;
  virtual absl::StatusOr<BudgetHistory> GetBudget(const std::string& id) = 0;
  virtual absl::StatusOr<Page<FrozenScope>> ListFrozen(const PageRequest& page) = 0;
  virtual absl::StatusOr<Page<UsageRollup>> QueryUsage(const UsageFilter& filter,
                                                       const UsageGroups& groups,
                                                       const PageRequest& page) = 0;
  virtual absl::StatusOr<Page<UsageRecord>> ListUsage(const std::string& scope,
                                                      const PageRequest& page) = 0;
  virtual absl::StatusOr<Page<Price>> ListPrices(const PriceFilter& filter,
                                                 const PageRequest& page) = 0;
  // The rows of a price file. Fails with PriceFileInvalid.
  virtual absl::StatusOr<std::vector<Price>> ReadPrices(const PriceText& file) = 0;
  // Reads everything; ends early, with AuditCancelled, when `is_cancelled` says so.
  virtual absl::StatusOr<AuditResult> Audit(IsCancelled is_cancelled = nullptr) = 0;
};

}  // namespace slipway::ledger
