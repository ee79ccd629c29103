// How holds end and grow, and what people change: the second half of Model.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/ledger/simulator/answer.h"
#include "services/ledger/simulator/model.h"
#include "services/ledger/simulator/model_checks.h"

namespace slipway::ledger::simulator {
namespace {

Expectation Refused(const std::string& reason) { return {.reason = reason}; }

}  // namespace

Model::Bill Model::BillFor(const SettleOrder& order, const ModelHold& hold) const {
  const ReserveOrder& asked = hold.order;
  const auto either = [](const std::string& a, const std::string& b) { return a.empty() ? b : a; };
  Bill bill;
  UsageRecord& usage = bill.usage;
  usage = {.reservation = asked.key,
           .record_time = time_,
           .charge_time = hold.charge_time,
           .scopes = asked.scopes,
           .provider = either(order.provider, asked.provider),
           .model = either(order.model, asked.model),
           .service_tier = ModelTier(either(order.service_tier, asked.service_tier)),
           .tokens = order.tokens.value_or(TokenCounts()),
           .provider_request_id = order.provider_request_id};
  bill.spent = {.tokens = usage.tokens.All(), .requests = hold.held.requests};
  bill.reason = ProblemOf(usage.tokens);
  if (!bill.reason.empty()) return bill;
  if (order.cost_usd_nanos.has_value()) {
    bill.spent.usd_nanos = *order.cost_usd_nanos;
    if (*order.cost_usd_nanos < 0 || *order.cost_usd_nanos > kModelAmountMax) {
      bill.reason = "AMOUNT_INVALID";
      return bill;
    }
  } else if (order.tokens.has_value()) {
    ModelCost cost = CostAt(prices_, usage.provider, usage.model, usage.service_tier,
                            hold.charge_time, usage.tokens);
    if (!cost.known) {
      cost = CostAt(prices_, asked.provider, asked.model, usage.service_tier, hold.charge_time,
                    usage.tokens);
    }
    if (!cost.known && !order.outcome_unknown) bill.reason = "PRICE_UNKNOWN";
    if (cost.overflows) bill.reason = "AMOUNT_INVALID";
    bill.spent.usd_nanos = cost.cost;
    usage.price = cost.price;
  } else if (!order.outcome_unknown) {
    bill.reason = "FIELD_INVALID";
  }
  if (order.outcome_unknown) {
    usage.basis = Basis::kEstimatedUpper;
    for (const Metric metric : kMetrics) {
      bill.spent.Of(metric) = std::max(bill.spent.Of(metric), hold.held.Of(metric));
    }
  }
  usage.charged = bill.spent;
  usage.first_cost = bill.spent.usd_nanos;
  return bill;
}

void Model::AddUsage(const UsageRecord& record) {
  usage_[record.reservation] = record;
  Event("usage.recorded");
}

// The usage must be there, or must not, before: it is what is posted.
void Model::EndCall(ModelHold& call, const Amounts& spent) {
  call.settled = spent;
  call.ended = journal_ + 1;
  ModelHold* const envelope = call.drawing ? &holds_.at(call.order.envelope) : nullptr;
  call.drawing = false;
  if (envelope != nullptr) {
    for (const Metric metric : kMetrics) envelope->settled.Of(metric) += spent.Of(metric);
  }
  for (const auto& [id, budget] : budgets_) {
    if (!call.scopes.contains(budget.scope)) continue;
    const int64_t label = LabelOf(budget, call);
    const int64_t over = spent.Of(budget.metric) - call.held.Of(budget.metric);
    if (over > 0) overage_[{id, label}] += over;
    if (over > 0 && budget.limit.has_value() &&
        Posted(budget, label) + Reserved(budget, label) > *budget.limit &&
        frozen_buckets_.insert({id, label}).second) {
      Event("budget.frozen");
    }
    Touch(id, label);
  }
}

void Model::EndEnvelope(ModelHold& envelope) {
  for (auto& [key, call] : holds_) {
    if (call.drawing && call.order.envelope == envelope.order.key) call.drawing = false;
  }
  envelope.ended = journal_ + 1;
  for (const auto& [id, budget] : budgets_) {
    if (!envelope.scopes.contains(budget.scope) || envelope.held.Of(budget.metric) == 0) continue;
    Touch(id, LabelOf(budget, envelope));
  }
}

Expectation Model::Settle(const SettleOrder& order, absl::Time now) {
  const auto found = holds_.find(order.key);
  if (found == holds_.end()) return Refused("RESERVATION_UNKNOWN");
  ModelHold& hold = found->second;
  const bool is_call = hold.order.kind == ReservationKind::kCall;
  const std::string request = RequestText(order);
  const bool late = is_call && hold.state == ReservationState::kExpiredCharged;
  if (hold.state == ReservationState::kSettled || hold.state == ReservationState::kSettledLate) {
    return hold.end == request ? TellSettled(hold) : Refused("RESERVATION_CLOSED");
  }
  if (hold.state != ReservationState::kHeld && !late) return Refused("RESERVATION_CLOSED");
  Bill bill;
  if (is_call) bill = BillFor(order, hold);
  if (!bill.reason.empty()) return Refused(bill.reason);
  bill.usage.record_time = Time(now);
  hold.end = request;
  if (late) {
    UsageRecord& usage = usage_.at(order.key);
    const int64_t delta = bill.spent.usd_nanos - usage.charged.usd_nanos;
    usage.tokens = bill.usage.tokens;
    usage.charged = bill.spent;
    usage.basis = order.outcome_unknown ? Basis::kEstimatedUpper : Basis::kReconciled;
    usage.provider_request_id = order.provider_request_id;
    usage.price = bill.usage.price;
    Event("usage.recorded");
    adjustments_[absl::StrCat("late of ", order.key)] = {.reservation = order.key,
                                                         .delta_usd_nanos = delta};
    hold.state = ReservationState::kSettledLate;
    hold.settled = bill.spent;
    TouchCorrected(hold);
    Record();
    return TellSettled(hold);
  }
  hold.state = ReservationState::kSettled;
  if (is_call) {
    AddUsage(bill.usage);
    EndCall(hold, bill.spent);
  } else {
    EndEnvelope(hold);
  }
  Record();
  return TellSettled(hold);
}

// Budgets that were there when the call ended are told of thresholds; to later ones it is history.
void Model::TouchCorrected(const ModelHold& call) {
  for (const auto& [id, budget] : budgets_) {
    if (call.scopes.contains(budget.scope) && budget.created < call.ended) {
      Touch(id, LabelOf(budget, call));
    }
  }
}

Expectation Model::Release(const std::string& key, absl::Time now) {
  const auto found = holds_.find(key);
  if (found == holds_.end()) return Refused("RESERVATION_UNKNOWN");
  ModelHold& hold = found->second;
  if (hold.state == ReservationState::kReleased) return Tell(hold);
  if (hold.state != ReservationState::kHeld) return Refused("RESERVATION_CLOSED");
  Time(now);
  hold.state = ReservationState::kReleased;
  if (hold.order.kind == ReservationKind::kCall) {
    EndCall(hold, {});
  } else {
    EndEnvelope(hold);
  }
  Record();
  return Tell(hold);
}

Expectation Model::Extend(const std::string& key, absl::Duration lifetime, absl::Time now) {
  if (lifetime <= absl::ZeroDuration() || lifetime > absl::Hours(24)) {
    return Refused("LIFETIME_INVALID");
  }
  const auto found = holds_.find(key);
  if (found == holds_.end()) return Refused("RESERVATION_UNKNOWN");
  ModelHold& hold = found->second;
  if (hold.state != ReservationState::kHeld) return Refused("RESERVATION_CLOSED");
  const absl::Time until = Time(now) + lifetime;
  if (until <= hold.expire_time) return Tell(hold);
  hold.expire_time = until;
  Record();
  return Tell(hold);
}

Expectation Model::TopUp(const TopUpOrder& order, absl::Time now) {
  if (const std::string problem = ProblemOf(order); !problem.empty()) return Refused(problem);
  const auto tell = [this](const std::string& key, const ModelHold& hold) {
    Expectation told = Tell(hold);
    const ModelTopUp& top_up = top_ups_.at(key);
    if (!top_up.denial.has_value()) return told;
    const ModelDenial& denial = *top_up.denial;
    absl::StrAppend(&told.text, " top-up",
                    DenialText(denial.cause, denial.retry, denial.frozen_scope));
    told.denied_key = key;
    told.choices = denial.choices;
    return told;
  };
  const auto found = holds_.find(order.reservation);
  if (const auto known = top_ups_.find(order.key); known != top_ups_.end()) {
    if (known->second.request != RequestText(order)) return Refused("KEY_REUSED");
    return tell(order.key, found->second);
  }
  if (found == holds_.end()) return Refused("RESERVATION_UNKNOWN");
  ModelHold& hold = found->second;
  if (hold.state != ReservationState::kHeld) return Refused("RESERVATION_CLOSED");
  const bool is_call = hold.order.kind == ReservationKind::kCall;
  for (const Metric metric : kMetrics) {
    const int64_t amount = order.amounts.Of(metric);
    if (amount > 0 && !is_call && hold.held.Of(metric) == 0) return Refused("FIELD_INVALID");
    if (amount > 0 && amount > kModelAmountMax - hold.held.Of(metric)) {
      return Refused("AMOUNT_INVALID");
    }
  }
  const absl::Time time = Time(now);
  std::vector<std::string> ids;
  const ModelHold* const envelope = Envelope(hold);
  for (const auto& [id, budget] : budgets_) {
    const bool holds_there = hold.scopes.contains(budget.scope) &&
                             (is_call || hold.held.Of(budget.metric) > 0) &&
                             !CoveredByEnvelope(budget, hold, envelope);
    if (holds_there) ids.push_back(id);
  }
  ModelTopUp top_up = {.request = RequestText(order)};
  top_up.denial = DenialByFreeze(hold, order.amounts.usd_nanos);
  Amounts granted = order.amounts;
  if (!top_up.denial.has_value()) {
    top_up.denial = Admit(hold, ids, envelope, granted, order.amounts, time);
  }
  if (!top_up.denial.has_value()) {
    for (const Metric metric : kMetrics) hold.held.Of(metric) += order.amounts.Of(metric);
    for (const std::string& id : ids) Touch(id, LabelOf(budgets_.at(id), hold));
  }
  top_ups_[order.key] = top_up;
  Record();
  return tell(order.key, hold);
}

Expectation Model::Adjust(const AdjustOrder& order, absl::Time now) {
  if (!ProblemOfKey(order.key).empty()) return Refused("KEY_INVALID");
  const auto found = holds_.find(order.reservation);
  if (const auto known = adjustments_.find(order.key); known != adjustments_.end()) {
    const Adjustment& before = known->second;
    const bool same = before.reservation == order.reservation &&
                      before.delta_usd_nanos == order.delta_usd_nanos &&
                      before.evidence == order.evidence;
    return same ? Tell(found->second) : Refused("KEY_REUSED");
  }
  if (found == holds_.end() || found->second.order.kind != ReservationKind::kCall ||
      found->second.state == ReservationState::kDenied) {
    return Refused("RESERVATION_UNKNOWN");
  }
  ModelHold& hold = found->second;
  if (hold.state == ReservationState::kHeld) return Refused("RESERVATION_OPEN");
  const int64_t delta = order.delta_usd_nanos;
  if (delta > kModelAmountMax || delta + hold.settled.usd_nanos < 0) {
    return Refused("AMOUNT_INVALID");
  }
  const absl::Time time = Time(now);
  const auto usage = usage_.find(order.reservation);
  if (usage != usage_.end()) {
    usage->second.charged.usd_nanos += delta;
    usage->second.basis = Basis::kReconciled;
    Event("usage.recorded");
  } else {
    AddUsage({.reservation = order.reservation,
              .record_time = time,
              .charge_time = hold.charge_time,
              .scopes = hold.order.scopes,
              .provider = hold.order.provider,
              .model = hold.order.model,
              .service_tier = "default",
              .charged = {.usd_nanos = delta},
              .basis = Basis::kReconciled});
  }
  hold.settled.usd_nanos += delta;
  adjustments_[order.key] = {
      .reservation = order.reservation, .delta_usd_nanos = delta, .evidence = order.evidence};
  TouchCorrected(hold);
  Record();
  return Tell(hold);
}

int64_t Model::Expire(ModelHold& hold) {
  hold.state = ReservationState::kExpiredCharged;
  Event("hold.expired");
  if (hold.order.kind == ReservationKind::kEnvelope) {
    EndEnvelope(hold);
    return 0;
  }
  AddUsage({.reservation = hold.order.key,
            .record_time = time_,
            .charge_time = hold.charge_time,
            .scopes = hold.order.scopes,
            .provider = hold.order.provider,
            .model = hold.order.model,
            .service_tier = ModelTier(hold.order.service_tier),
            .charged = hold.held,
            .first_cost = hold.held.usd_nanos,
            .basis = Basis::kEstimatedUpper});
  EndCall(hold, hold.held);
  return hold.held.usd_nanos;
}

Expectation Model::Close(const std::vector<std::string>& keys) {
  Expectation closing;
  for (const std::string& key : keys) {
    closing.charged += Expire(holds_.at(key));
    ++closing.closed;
    Record();
  }
  return closing;
}

Expectation Model::CloseExpired(absl::Time now) {
  const absl::Time time = Time(now);
  std::vector<std::pair<absl::Time, std::string>> due;
  for (const auto& [key, hold] : holds_) {
    if (hold.state == ReservationState::kHeld && hold.expire_time <= time) {
      due.emplace_back(hold.expire_time, key);
    }
  }
  std::sort(due.begin(), due.end());
  std::vector<std::string> keys;
  for (size_t i = 0; i < due.size() && i < 256; ++i) keys.push_back(due[i].second);
  return Close(keys);
}

Expectation Model::CloseOwner(const std::string& owner, int64_t epoch_before, absl::Time now) {
  Time(now);
  std::vector<std::string> keys;
  for (const auto& [key, hold] : holds_) {
    const bool his = hold.state == ReservationState::kHeld && hold.order.owner == owner &&
                     (epoch_before == 0 || hold.order.owner_epoch < epoch_before);
    if (his && keys.size() < 256) keys.push_back(key);
  }
  const auto life = epochs_.find(owner);
  if (epoch_before > (life == epochs_.end() ? 0 : life->second)) {
    epochs_[owner] = epoch_before;
    Record();
  }
  return Close(keys);
}

Expectation Model::SetBudget(BudgetOrder order, absl::Time now) {
  if (const std::string problem = ProblemOf(order); !problem.empty()) return Refused(problem);
  const std::string request = RequestText(order);
  if (const auto known = replies_.find(order.request_id);
      !order.request_id.empty() && known != replies_.end()) {
    if (known->second.first != request) return Refused("KEY_REUSED");
    return {.text = known->second.second};
  }
  const std::string id = BudgetId(order.scope, order.metric, order.window);
  const auto found = budgets_.find(id);
  const bool is_new = found == budgets_.end();
  const int64_t version = is_new ? 0 : found->second.version;
  if (order.expected_version != 0 && order.expected_version != version) {
    return Refused("VERSION_MISMATCH");
  }
  if (!is_new && order.window != Window::kTotal && found->second.zone != order.time_zone) {
    return Refused("TIME_ZONE_FIXED");
  }
  const absl::Time time = Time(now);
  std::sort(order.warn_percents.begin(), order.warn_percents.end());
  const std::optional<int64_t> old_limit = is_new ? std::nullopt : found->second.limit;
  const bool was_frozen = !is_new && found->second.frozen;
  ModelBudget& budget = budgets_[id];
  budget = {.scope = order.scope,
            .metric = order.metric,
            .window = order.window,
            .zone = order.time_zone,
            .limit = order.limit,
            .version = version + 1,
            .frozen = order.frozen,
            .percents = order.warn_percents,
            .since = is_new ? time : budget.since,
            .created = is_new ? journal_ + 1 : budget.created};
  if (is_new) {
    for (auto& [key, hold] : holds_) {
      hold.days[budget.zone] = LabelAt(Window::kDay, budget.zone, hold.charge_time);
    }
    for (const auto& [key, hold] : holds_) {
      const bool keeps =
          hold.state == ReservationState::kHeld && hold.scopes.contains(budget.scope) &&
          (hold.order.kind == ReservationKind::kCall || hold.held.Of(budget.metric) > 0) &&
          !CoveredByEnvelope(budget, hold, Envelope(hold));
      if (keeps) Touch(id, LabelOf(budget, hold));
    }
  }
  const int64_t label = LabelAt(budget.window, budget.zone, time);
  const bool bucket_was_frozen = frozen_buckets_.erase({id, label}) > 0;
  if ((was_frozen || bucket_was_frozen) != budget.frozen) Event("budget.frozen");
  if (!is_new && old_limit != budget.limit) warned_[{id, label}] = 0;
  Touch(id, label);
  Event("budget.changed");
  const Expectation told = {.text = BalanceText(id, label)};
  if (!order.request_id.empty()) replies_[order.request_id] = {request, told.text};
  Record();
  return told;
}

Expectation Model::DeleteBudget(const std::string& id, absl::Time now) {
  const auto found = budgets_.find(id);
  if (found == budgets_.end() || !found->second.limit.has_value()) {
    return Refused("BUDGET_UNKNOWN");
  }
  Time(now);
  found->second.limit.reset();
  found->second.frozen = false;
  ++found->second.version;
  Event("budget.changed");
  Record();
  return {.text = id};
}

Expectation Model::FreezeScope(const FreezeOrder& order, absl::Time now) {
  if (ScopesOfBudget(order.scope).empty()) return Refused("SCOPE_INVALID");
  const auto found = frozen_scopes_.find(order.scope);
  const bool is_frozen = found != frozen_scopes_.end();
  if (is_frozen && order.frozen) return {.text = TextOf(std::optional(found->second))};
  if (!is_frozen && !order.frozen) return {.text = TextOf(std::optional<FrozenScope>())};
  const FrozenScope scope = {order.scope, order.reason, order.actor, Time(now)};
  if (order.frozen) {
    frozen_scopes_[order.scope] = scope;
  } else {
    frozen_scopes_.erase(order.scope);
  }
  Event("budget.frozen");
  Record();
  return {.text = TextOf(order.frozen ? std::optional(scope) : std::nullopt)};
}

Expectation Model::ImportPrices(std::vector<Price> rows, const std::vector<std::string>& accept,
                                absl::Time now) {
  const ModelImport import = ImportInto(prices_, std::move(rows), accept);
  if (!import.reason.empty()) return Refused(import.reason);
  if (!import.added.empty()) {
    Time(now);
    prices_.insert(prices_.end(), import.added.begin(), import.added.end());
    Record();
  }
  return {.text = TextOf(PriceBook::Import{import.added, import.unchanged})};
}

}  // namespace slipway::ledger::simulator
