#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/ledger/domain/admission.h"
#include "services/ledger/domain/archive.h"
#include "services/ledger/domain/changes.h"
#include "services/ledger/domain/journal.h"
#include "services/ledger/domain/mirror.h"
#include "services/ledger/domain/price_book.h"
#include "services/ledger/domain/step.h"

namespace slipway::ledger {

// How a caller ends a hold.
struct SettleOrder {
  std::string key;
  std::optional<TokenCounts> tokens;
  bool outcome_unknown = false;
  std::string provider;
  std::string model;
  std::string service_tier;
  std::string provider_request_id;
  std::optional<int64_t> cost_usd_nanos;
};

struct Settlement {
  Reservation reservation;
  std::optional<UsageRecord> usage;  // Absent for an envelope.
};

struct AdjustOrder {
  std::string key;
  std::string reservation;
  int64_t delta_usd_nanos = 0;
  std::string evidence;
};

// Asks for more on a hold.
struct TopUpOrder {
  std::string key;
  std::string reservation;
  Amounts amounts;
};

struct TopUp {
  Reservation reservation;       // As it stands now.
  std::optional<Denial> denial;  // Why nothing was added.
};

struct FreezeOrder {
  std::string scope;
  bool frozen = false;
  std::string reason;
  std::string actor;
};

struct BudgetOrder {
  std::string scope;
  Metric metric = Metric::kUsdNanos;
  Window window = Window::kTotal;
  std::string time_zone;
  int64_t limit = 0;
  bool frozen = false;
  std::vector<int32_t> warn_percents;
  int64_t expected_version = 0;  // 0: in any case.
  std::string request_id;        // May be empty.
  std::string actor;
};

struct Closing {
  int64_t closed = 0;
  int64_t charged_usd_nanos = 0;
};

// Decides every request, in the order of the calls. A method either fails and has changed nothing,
// or changes the mirror and writes the same change into `changes`, which the caller must store as
// one step before it answers: if that fails, the object no longer tells the truth and must go. A
// repeat of an earlier request has no changes. A reservation that is returned may lack its legs.
// Deterministic; not thread-safe.
class Ledger final {
 public:
  struct Options {
    bool require_budget = false;  // Denies what no budget covers.
  };

  Ledger(Archive& archive, Options options) : archive_(archive), options_(options) {}

  // `now` is wall time; the ledger's own time never goes back.
  absl::StatusOr<Reservation> Reserve(ReserveOrder order, absl::Time now, Changes& changes);
  absl::StatusOr<Settlement> Settle(const SettleOrder& order, absl::Time now, Changes& changes);
  absl::StatusOr<Reservation> Release(const std::string& key, Proof proof, absl::Time now,
                                      Changes& changes);
  absl::StatusOr<Reservation> Extend(const std::string& key, absl::Duration lifetime,
                                     absl::Time now, Changes& changes);
  // A repeat tells what the first one decided, and the reservation as it is now.
  absl::StatusOr<ledger::TopUp> TopUp(const TopUpOrder& order, absl::Time now, Changes& changes);
  absl::StatusOr<Reservation> Adjust(const AdjustOrder& order, absl::Time now, Changes& changes);
  // The scope when it is frozen now.
  absl::StatusOr<std::optional<FrozenScope>> FreezeScope(const FreezeOrder& order, absl::Time now,
                                                         Changes& changes);
  absl::StatusOr<Balance> SetBudget(const BudgetOrder& order, absl::Time now, Changes& changes);
  absl::Status DeleteBudget(const std::string& id, const std::string& actor, absl::Time now,
                            Changes& changes);
  absl::StatusOr<PriceBook::Import> ImportPrices(std::vector<Price> rows,
                                                 const std::vector<std::string>& accept,
                                                 absl::Time now, Changes& changes);

  // Closes up to kCloseBatch holds that expired, or that `owner` took before `epoch_before` (0: in
  // any epoch), and fences those epochs; `closed` below that number means that no more are left.
  absl::StatusOr<Closing> CloseExpired(absl::Time now, Changes& changes);
  absl::StatusOr<Closing> CloseOwner(const std::string& owner, int64_t epoch_before, absl::Time now,
                                     Changes& changes);

  Mirror& mirror() { return mirror_; }
  Journal& journal() { return journal_; }
  PriceBook& prices() { return prices_; }

 private:
  struct Charge;

  absl::StatusOr<std::optional<Reservation>> Find(const std::string& key);
  absl::StatusOr<ReserveOrder> Checked(ReserveOrder order) const;
  absl::StatusOr<const Reservation*> FindEnvelope(const ReserveOrder& order);
  absl::StatusOr<std::vector<Constraint>> ConstraintsFor(const Reservation& reservation,
                                                         const Reservation* envelope);
  absl::Status CheckEpoch(const ReserveOrder& order) const;
  std::optional<Denial> DenialByFreeze(const ScopePath& scopes, int64_t requested) const;
  Admission AdmitNow(const ReserveOrder& order, const std::vector<Constraint>& constraints,
                     const Reservation* envelope, absl::Time now);
  absl::StatusOr<ledger::TopUp> RepeatedTopUp(const TopUpOrder& order, const StoredReply& reply);
  void Grow(Reservation& held, const Amounts& amounts, Step& step);
  std::optional<Denial> DenialWithoutBudget(const ReserveOrder& order, absl::Time now);
  Reservation Deny(Reservation reservation, Denial denial, Step& step);
  Reservation Hold(Reservation reservation, const std::vector<Constraint>& constraints, Step& step);

  absl::StatusOr<Charge> ChargeFor(const SettleOrder& order, const Reservation& reservation) const;
  // Of what is no open hold (any more).
  absl::StatusOr<Settlement> SettleEnded(const SettleOrder& order, absl::Time now,
                                         Changes& changes);
  absl::StatusOr<Settlement> Repeated(const Reservation& reservation, const std::string& digest);
  absl::StatusOr<Settlement> SettleLate(const SettleOrder& order, Reservation reservation,
                                        absl::Time now, Changes& changes);
  void EndCall(Reservation& call, const Amounts& spent, Step& step);
  void EndEnvelope(Reservation& envelope, Step& step);
  int64_t CloseAsExpired(Reservation& reservation, Step& step);
  absl::StatusOr<Closing> Close(const std::vector<std::string>& keys, absl::string_view operation,
                                absl::Time now, Changes& changes);
  absl::StatusOr<Bucket*> BucketOf(const Leg& leg);
  // Brings the buckets of a call into memory, so that ending it cannot fail.
  absl::Status CheckRoom(const Reservation& call, const Amounts& spent);
  void PostCorrection(Reservation& call, const Amounts& delta, Step& step);
  // Whether a new budget can count all open holds at once.
  absl::Status CheckSumOfHolds(const ScopePath& path, Metric metric);
  absl::Status AttachHolds(Budget& budget, Step& step);

  Archive& archive_;
  const Options options_;
  Mirror mirror_{archive_};
  Journal journal_;
  PriceBook prices_;
};

}  // namespace slipway::ledger
