#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/ledger/domain/ledger.h"

namespace slipway::ledger::simulator {

// What a request must be answered. `text` is what answer.h makes of the answer, without the balance
// that a denial tells of: where several budgets refuse equally, any of `choices` may be told.
struct Expectation {
  std::string reason;  // Of the error; empty when it is OK.
  std::string text;
  std::string denied_key;  // Whose denial `choices` are of.
  std::vector<std::string> choices;
  int64_t closed = 0;
  int64_t charged = 0;
};

struct ModelBudget {
  std::string scope;
  Metric metric = Metric::kUsdNanos;
  Window window = Window::kTotal;
  std::string zone;
  std::optional<int64_t> limit;
  int64_t version = 0;
  bool frozen = false;
  std::vector<int32_t> percents;
  absl::Time since;
  int64_t created = 0;  // The entry of the journal.
};

struct ModelDenial {
  DenialCause cause = DenialCause::kLimit;
  std::optional<absl::Time> retry;
  std::string frozen_scope;
  std::vector<std::string> choices;  // What was asked in which metric, and the balance.
};

struct ModelHold {
  ReserveOrder order;
  std::set<std::string> scopes;  // That cover it.
  ReservationState state = ReservationState::kHeld;
  Amounts held;
  Amounts settled;
  absl::Time charge_time;
  absl::Time expire_time;
  std::optional<ModelDenial> denial;
  std::string end;  // The request that ended it.
  bool drawing = false;
  int64_t ended = 0;                    // The entry of the journal.
  std::map<std::string, int64_t> days;  // The calendar day of its charge by zone: 20261031.
};

struct ModelTopUp {
  std::string request;
  std::optional<ModelDenial> denial;
};

// What the ledger must do, from its documentation and by other means than it: no balance is kept.
// What is spent and held is added up from the holds and usage records whenever it is asked for, and
// a window is known by its calendar day or month instead of by its start. Shares only the types of
// requests with the domain. Copied to remember a state.
class Model final {
 public:
  // A bucket: budget id and the label of its window.
  using BucketKey = std::pair<std::string, int64_t>;

  explicit Model(bool require_budget) : require_budget_(require_budget) {}

  Expectation Reserve(ReserveOrder order, absl::Time now);
  Expectation Settle(const SettleOrder& order, absl::Time now);
  Expectation Release(const std::string& key, absl::Time now);
  Expectation Extend(const std::string& key, absl::Duration lifetime, absl::Time now);
  Expectation TopUp(const TopUpOrder& order, absl::Time now);
  Expectation Adjust(const AdjustOrder& order, absl::Time now);
  Expectation SetBudget(BudgetOrder order, absl::Time now);
  Expectation DeleteBudget(const std::string& id, absl::Time now);
  Expectation FreezeScope(const FreezeOrder& order, absl::Time now);
  Expectation ImportPrices(std::vector<Price> rows, const std::vector<std::string>& accept,
                           absl::Time now);
  Expectation CloseExpired(absl::Time now);
  Expectation CloseOwner(const std::string& owner, int64_t epoch_before, absl::Time now);

  // Of several choices the ledger told this one: it is the only one from now on.
  void Pin(const std::string& key, const std::string& choice);

  // What a restart forgets: the time of decisions that changed nothing.
  void Restart() { time_ = stored_time_; }

  int64_t Posted(const ModelBudget& budget, int64_t label) const;
  int64_t Reserved(const ModelBudget& budget, int64_t label) const;

  // The windows in which anything was ever charged to a budget, and the one at `now`.
  std::set<int64_t> LabelsOf(const ModelBudget& budget, absl::Time now) const;

  static int64_t LabelAt(Window window, const std::string& zone, absl::Time time);

  const std::map<std::string, ModelBudget>& budgets() const { return budgets_; }
  const std::map<std::string, ModelHold>& holds() const { return holds_; }
  const std::map<std::string, UsageRecord>& usage() const { return usage_; }
  const std::map<std::string, Adjustment>& adjustments() const { return adjustments_; }
  const std::map<std::string, int64_t>& events() const { return events_; }
  const std::map<std::string, std::pair<std::string, std::string>>& replies() const {
    return replies_;
  }
  const std::map<std::string, ModelTopUp>& top_ups() const { return top_ups_; }
  const std::map<std::string, FrozenScope>& frozen_scopes() const { return frozen_scopes_; }
  const std::map<std::string, int64_t>& epochs() const { return epochs_; }
  const std::vector<Price>& prices() const { return prices_; }
  const std::map<BucketKey, int64_t>& overage() const { return overage_; }
  const std::map<BucketKey, int64_t>& warned() const { return warned_; }
  const std::set<BucketKey>& frozen_buckets() const { return frozen_buckets_; }
  int64_t journal() const { return journal_; }
  int64_t windows_crossed() const { return windows_crossed_; }

 private:
  struct Refusal {
    DenialCause cause = DenialCause::kLimit;
    std::optional<absl::Time> retry;
    std::string choice;
  };
  struct Bill {
    std::string reason;
    Amounts spent;
    UsageRecord usage;
  };

  absl::Time Time(absl::Time now) { return time_ = std::max(time_, now); }
  void Record() {
    ++journal_;
    stored_time_ = time_;
  }
  void Event(const std::string& kind) { ++events_[kind]; }

  const ModelHold* Envelope(const ModelHold& hold) const;
  bool CoveredByEnvelope(const ModelBudget& budget, const ModelHold& hold,
                         const ModelHold* envelope) const;
  int64_t HoldsOn(const ModelBudget& budget, const ModelHold& hold) const;
  Amounts OpenCalls(const std::string& envelope) const;
  int64_t LabelOf(const ModelBudget& budget, const ModelHold& hold) const;
  void Touch(const std::string& id, int64_t label);

  std::optional<Refusal> RefusalOf(const std::string& id, const ModelHold& hold, int64_t amount,
                                   int64_t minimum, absl::Time time) const;
  std::optional<Refusal> RefusalOf(const ModelHold& envelope, Metric metric, int64_t amount,
                                   int64_t minimum, absl::Time time) const;
  // Decides about more for `hold` over these budgets; on success lowers `amounts` to what fits.
  std::optional<ModelDenial> Admit(const ModelHold& hold, const std::vector<std::string>& budgets,
                                   const ModelHold* envelope, Amounts& amounts,
                                   const Amounts& minimum, absl::Time time) const;
  std::optional<ModelDenial> DenialByFreeze(const ModelHold& hold, int64_t requested) const;
  std::vector<std::string> ConstraintsOf(const ModelHold& hold, const ModelHold* envelope) const;

  Bill BillFor(const SettleOrder& order, const ModelHold& hold) const;
  void EndCall(ModelHold& call, const Amounts& spent);
  void EndEnvelope(ModelHold& envelope);
  void AddUsage(const UsageRecord& record);
  int64_t Expire(ModelHold& hold);
  Expectation Close(const std::vector<std::string>& keys);
  void TouchCorrected(const ModelHold& call);
  Expectation TellSettled(const ModelHold& hold) const;
  Expectation Tell(const ModelHold& hold) const;
  std::string BalanceText(const std::string& id, int64_t label) const;

  bool require_budget_;
  std::map<std::string, ModelBudget> budgets_;
  std::map<std::string, ModelHold> holds_;
  std::map<std::string, UsageRecord> usage_;
  std::map<std::string, Adjustment> adjustments_;
  std::map<std::string, std::pair<std::string, std::string>> replies_;  // Request and answer.
  std::map<std::string, ModelTopUp> top_ups_;
  std::map<std::string, FrozenScope> frozen_scopes_;
  std::map<std::string, int64_t> epochs_;
  std::vector<Price> prices_;
  std::map<BucketKey, int64_t> overage_;
  std::map<BucketKey, int64_t> warned_;
  std::set<BucketKey> frozen_buckets_;
  std::map<std::string, int64_t> events_;
  int64_t journal_ = 0;
  int64_t windows_crossed_ = 0;
  absl::Time time_ = absl::UnixEpoch();
  absl::Time stored_time_ = absl::UnixEpoch();
};

}  // namespace slipway::ledger::simulator
