#include "services/ledger/simulator/model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "services/ledger/simulator/answer.h"
#include "services/ledger/simulator/model_checks.h"

namespace slipway::ledger::simulator {
namespace {

constexpr absl::Duration kSoonest = absl::Seconds(1);  // That siblings are worth waiting for.

const absl::TimeZone& ZoneNamed(const std::string& name) {
  static thread_local std::map<std::string, absl::TimeZone> zones;
  const auto [found, added] = zones.emplace(name, absl::UTCTimeZone());
  if (added && !name.empty()) absl::LoadTimeZone(name, &found->second);
  return found->second;
}

Expectation Fails(const std::string& reason) { return {.reason = reason}; }

// The first moment after the window that `time` is in: the first second with another label.
absl::Time EndOf(const ModelBudget& budget, absl::Time time) {
  const int64_t label = Model::LabelAt(budget.window, budget.zone, time);
  absl::Time inside = absl::FromUnixSeconds(absl::ToUnixSeconds(time));
  absl::Time outside = inside + absl::Hours(24 * 33);
  while (outside - inside > absl::Seconds(1)) {
    const absl::Time middle =
        absl::FromUnixSeconds((absl::ToUnixSeconds(inside) + absl::ToUnixSeconds(outside)) / 2);
    (Model::LabelAt(budget.window, budget.zone, middle) == label ? inside : outside) = middle;
  }
  return outside;
}

}  // namespace

int64_t Model::LabelAt(Window window, const std::string& zone, absl::Time time) {
  if (window == Window::kTotal) return 0;
  const absl::CivilDay day = absl::ToCivilDay(time, ZoneNamed(zone));
  const int64_t month = day.year() * 100 + day.month();
  return window == Window::kMonth ? month : month * 100 + day.day();
}

int64_t Model::LabelOf(const ModelBudget& budget, const ModelHold& hold) const {
  if (budget.window == Window::kTotal) return 0;
  const auto known = hold.days.find(budget.zone);
  const int64_t day = known != hold.days.end()
                          ? known->second
                          : LabelAt(Window::kDay, budget.zone, hold.charge_time);
  return budget.window == Window::kMonth ? day / 100 : day;
}

const ModelHold* Model::Envelope(const ModelHold& hold) const {
  return hold.drawing ? &holds_.at(hold.order.envelope) : nullptr;
}

bool Model::CoveredByEnvelope(const ModelBudget& budget, const ModelHold&,
                              const ModelHold* envelope) const {
  return envelope != nullptr && envelope->held.Of(budget.metric) > 0 &&
         envelope->scopes.contains(budget.scope);
}

Amounts Model::OpenCalls(const std::string& envelope) const {
  Amounts sum;
  for (const auto& [key, hold] : holds_) {
    if (!hold.drawing || hold.order.envelope != envelope) continue;
    for (const Metric metric : kMetrics) sum.Of(metric) += hold.held.Of(metric);
  }
  return sum;
}

// What an open hold keeps of a budget that covers it.
int64_t Model::HoldsOn(const ModelBudget& budget, const ModelHold& hold) const {
  const Metric metric = budget.metric;
  if (hold.order.kind == ReservationKind::kCall) {
    return CoveredByEnvelope(budget, hold, Envelope(hold)) ? 0 : hold.held.Of(metric);
  }
  if (hold.held.Of(metric) == 0) return 0;
  return std::max(hold.held.Of(metric) - hold.settled.Of(metric),
                  OpenCalls(hold.order.key).Of(metric));
}

int64_t Model::Posted(const ModelBudget& budget, int64_t label) const {
  int64_t sum = 0;
  for (const auto& [key, record] : usage_) {
    const ModelHold& hold = holds_.at(key);
    if (hold.scopes.contains(budget.scope) && LabelOf(budget, hold) == label) {
      sum += record.charged.Of(budget.metric);
    }
  }
  return sum;
}

int64_t Model::Reserved(const ModelBudget& budget, int64_t label) const {
  int64_t sum = 0;
  for (const auto& [key, hold] : holds_) {
    if (hold.state != ReservationState::kHeld || !hold.scopes.contains(budget.scope) ||
        LabelOf(budget, hold) != label) {
      continue;
    }
    sum += HoldsOn(budget, hold);
  }
  return sum;
}

std::set<int64_t> Model::LabelsOf(const ModelBudget& budget, absl::Time now) const {
  std::set<int64_t> labels = {LabelAt(budget.window, budget.zone, now)};
  for (const auto& [key, hold] : holds_) {
    if (hold.scopes.contains(budget.scope)) labels.insert(LabelOf(budget, hold));
  }
  return labels;
}

std::string Model::BalanceText(const std::string& id, int64_t label) const {
  const ModelBudget& budget = budgets_.at(id);
  const BucketKey key(id, label);
  const auto overage = overage_.find(key);
  const Budget as_told = {.scope = budget.scope,
                          .metric = budget.metric,
                          .window = budget.window,
                          .time_zone = budget.zone,
                          .limit = budget.limit,
                          .version = budget.version,
                          .frozen = budget.frozen,
                          .warn_percents = budget.percents};
  return simulator::BalanceText(as_told, label,
                                {.posted = Posted(budget, label),
                                 .reserved = Reserved(budget, label),
                                 .overage = overage == overage_.end() ? 0 : overage->second,
                                 .frozen = frozen_buckets_.contains(key)});
}

void Model::Touch(const std::string& id, int64_t label) {
  const ModelBudget& budget = budgets_.at(id);
  if (!budget.limit.has_value() || *budget.limit == 0) return;
  const auto used = static_cast<double>(Posted(budget, label) + Reserved(budget, label));
  for (const int32_t percent : budget.percents) {
    int64_t& warned = warned_[{id, label}];
    // Exact: limits that are warned of are far below 2^53 in the workload, or far above all use.
    if (percent <= warned || used * 100 < static_cast<double>(*budget.limit) * percent) continue;
    warned = percent;
    Event("budget.warned");
  }
}

Expectation Model::Tell(const ModelHold& hold) const {
  Expectation told = {.text = absl::StrCat(TextOf(hold.order), " ",
                                           StateText(hold.state, hold.held, hold.settled,
                                                     hold.charge_time, hold.expire_time))};
  if (hold.denial.has_value()) {
    absl::StrAppend(&told.text,
                    DenialText(hold.denial->cause, hold.denial->retry, hold.denial->frozen_scope));
    told.denied_key = hold.order.key;
    told.choices = hold.denial->choices;
  }
  return told;
}

Expectation Model::TellSettled(const ModelHold& hold) const {
  Expectation told = Tell(hold);
  const auto found = usage_.find(hold.order.key);
  absl::StrAppend(&told.text, " ", found == usage_.end() ? "no usage" : TextOf(found->second));
  return told;
}

void Model::Pin(const std::string& key, const std::string& choice) {
  if (const auto hold = holds_.find(key); hold != holds_.end()) {
    hold->second.denial->choices = {choice};
  } else if (const auto top_up = top_ups_.find(key); top_up != top_ups_.end()) {
    top_up->second.denial->choices = {choice};
  }
}

std::optional<Model::Refusal> Model::RefusalOf(const std::string& id, const ModelHold& hold,
                                               int64_t amount, int64_t minimum,
                                               absl::Time time) const {
  const ModelBudget& budget = budgets_.at(id);
  if (!budget.limit.has_value()) return std::nullopt;
  const int64_t label = LabelOf(budget, hold);
  Refusal refusal = {.choice = ChoiceText(amount, BalanceText(id, label))};
  if (budget.frozen || frozen_buckets_.contains({id, label})) {
    refusal.cause = DenialCause::kFrozen;
    return refusal;
  }
  const int64_t limit = *budget.limit;
  const int64_t posted = Posted(budget, label);
  if (limit > 0 && posted + Reserved(budget, label) + minimum <= limit) return std::nullopt;
  if (limit > 0 && minimum > limit) {
    refusal.cause = DenialCause::kNeverFits;
    return refusal;
  }
  if (limit > 0 && posted + minimum <= limit) {
    refusal.cause = DenialCause::kHeldBySiblings;
    std::optional<absl::Time> first;
    for (const auto& [key, other] : holds_) {
      const bool in_the_way = other.state == ReservationState::kHeld &&
                              other.scopes.contains(budget.scope) &&
                              LabelOf(budget, other) == label && HoldsOn(budget, other) > 0;
      if (in_the_way) first = std::min(first.value_or(other.expire_time), other.expire_time);
    }
    refusal.retry = std::max(first.value_or(time), time + kSoonest);
    return refusal;
  }
  refusal.cause = DenialCause::kLimit;
  if (limit > 0 && budget.window != Window::kTotal) {
    const absl::Time end = EndOf(budget, hold.charge_time);
    if (end > time) refusal.retry = end;
  }
  return refusal;
}

std::optional<Model::Refusal> Model::RefusalOf(const ModelHold& envelope, Metric metric,
                                               int64_t amount, int64_t minimum,
                                               absl::Time time) const {
  const int64_t unspent = envelope.held.Of(metric) - envelope.settled.Of(metric);
  if (minimum + OpenCalls(envelope.order.key).Of(metric) <= unspent) return std::nullopt;
  Refusal refusal = {.choice = ChoiceText(amount, "")};
  if (minimum > envelope.held.Of(metric)) {
    refusal.cause = DenialCause::kNeverFits;
  } else if (minimum > unspent) {
    refusal.cause = DenialCause::kLimit;
  } else {
    refusal.cause = DenialCause::kHeldBySiblings;
    std::optional<absl::Time> first;
    for (const auto& [key, other] : holds_) {
      if (!other.drawing || other.order.envelope != envelope.order.key) continue;
      first = std::min(first.value_or(other.expire_time), other.expire_time);
    }
    refusal.retry = std::max(first.value_or(time), time + kSoonest);
  }
  return refusal;
}

std::optional<ModelDenial> Model::Admit(const ModelHold& hold,
                                        const std::vector<std::string>& budgets,
                                        const ModelHold* envelope, Amounts& amounts,
                                        const Amounts& minimum, absl::Time time) const {
  std::vector<Refusal> refusals;
  Amounts fits = amounts;
  for (const Metric metric : kMetrics) {
    const int64_t amount = amounts.Of(metric);
    for (const std::string& id : budgets) {
      const ModelBudget& budget = budgets_.at(id);
      if (budget.metric != metric) continue;
      if (auto refusal = RefusalOf(id, hold, amount, minimum.Of(metric), time)) {
        refusals.push_back(*refusal);
      } else if (budget.limit.has_value()) {
        const int64_t label = LabelOf(budget, hold);
        const int64_t room = *budget.limit - Posted(budget, label) - Reserved(budget, label);
        fits.Of(metric) = std::min(fits.Of(metric), room);
      }
    }
    if (envelope == nullptr || envelope->held.Of(metric) == 0) continue;
    if (auto refusal = RefusalOf(*envelope, metric, amount, minimum.Of(metric), time)) {
      refusals.push_back(*refusal);
    } else {
      const int64_t room = envelope->held.Of(metric) - envelope->settled.Of(metric) -
                           OpenCalls(envelope->order.key).Of(metric);
      fits.Of(metric) = std::min(fits.Of(metric), room);
    }
  }
  if (refusals.empty()) {
    amounts = fits;
    return std::nullopt;
  }
  // What only a person can lift comes first, then what lasts longest.
  const auto gravity = [](const Refusal& refusal) {
    const int rank = refusal.cause == DenialCause::kFrozen      ? 5
                     : refusal.cause == DenialCause::kNeverFits ? 4
                     : refusal.cause == DenialCause::kLimit     ? (refusal.retry ? 2 : 3)
                                                                : 1;
    return std::make_pair(rank, refusal.retry.value_or(absl::UnixEpoch()));
  };
  std::pair<int, absl::Time> worst = {0, absl::UnixEpoch()};
  for (const Refusal& refusal : refusals) worst = std::max(worst, gravity(refusal));
  ModelDenial denial;
  for (const Refusal& refusal : refusals) {
    if (gravity(refusal) != worst) continue;
    denial.cause = refusal.cause;
    denial.retry = refusal.retry;
    denial.choices.push_back(refusal.choice);
  }
  return denial;
}

std::optional<ModelDenial> Model::DenialByFreeze(const ModelHold& hold, int64_t requested) const {
  // The widest frozen scope is told; a name sorts before those below it, roles before plans.
  const ScopePath& path = hold.order.scopes;
  const std::string role =
      path.role.empty() ? "" : absl::StrCat(path.project, "/roles/", path.role);
  for (const std::string& scope :
       {std::string("organisation"), path.project, role, path.plan, path.task, path.attempt}) {
    if (scope.empty() || !frozen_scopes_.contains(scope)) continue;
    return ModelDenial{.cause = DenialCause::kFrozen,
                       .frozen_scope = scope,
                       .choices = {ChoiceText(requested, "")}};
  }
  return std::nullopt;
}

std::vector<std::string> Model::ConstraintsOf(const ModelHold& hold,
                                              const ModelHold* envelope) const {
  std::vector<std::string> ids;
  for (const auto& [id, budget] : budgets_) {
    if (!hold.scopes.contains(budget.scope)) continue;
    if (hold.order.kind == ReservationKind::kEnvelope &&
        hold.order.amounts.Of(budget.metric) == 0) {
      continue;
    }
    if (!CoveredByEnvelope(budget, hold, envelope)) ids.push_back(id);
  }
  return ids;
}

Expectation Model::Reserve(ReserveOrder order, absl::Time now) {
  if (order.kind == ReservationKind::kCall) {
    if (order.amounts.requests == 0) order.amounts.requests = 1;
    if (order.minimum.requests == 0) order.minimum.requests = order.amounts.requests;
  }
  if (const std::string problem = ProblemOf(order); !problem.empty()) return Fails(problem);
  ModelHold hold = {.order = order, .scopes = ScopesOf(order.scopes)};
  hold.order.scopes = Filled(order.scopes);
  if (const auto known = holds_.find(order.key); known != holds_.end()) {
    if (TextOf(known->second.order) != TextOf(hold.order)) return Fails("KEY_REUSED");
    return Tell(known->second);
  }
  const auto life = epochs_.find(order.owner);
  const int64_t epoch = life == epochs_.end() ? 0 : life->second;
  if (order.owner_epoch > 0 && order.owner_epoch < epoch) return Fails("OWNER_FENCED");
  const ModelHold* envelope = nullptr;
  if (!order.envelope.empty()) {
    const auto found = holds_.find(order.envelope);
    if (found == holds_.end() || found->second.order.kind != ReservationKind::kEnvelope) {
      return Fails("ENVELOPE_UNKNOWN");
    }
    envelope = &found->second;
    if (envelope->state != ReservationState::kHeld) return Fails("ENVELOPE_CLOSED");
    if (!std::includes(hold.scopes.begin(), hold.scopes.end(), envelope->scopes.begin(),
                       envelope->scopes.end())) {
      return Fails("SCOPE_INVALID");
    }
  }
  const absl::Time time = Time(now);
  hold.charge_time = envelope != nullptr ? envelope->charge_time : time;
  hold.expire_time = time + order.lifetime;
  for (const auto& [id, budget] : budgets_) {
    hold.days[budget.zone] = LabelAt(Window::kDay, budget.zone, hold.charge_time);
  }
  if (order.owner_epoch > epoch) epochs_[order.owner] = order.owner_epoch;
  const std::vector<std::string> constraints = ConstraintsOf(hold, envelope);
  hold.denial = DenialByFreeze(hold, order.amounts.usd_nanos);
  const bool is_call = order.kind == ReservationKind::kCall;
  if (!hold.denial.has_value() && is_call && order.amounts.usd_nanos > 0 &&
      !order.provider.empty() && !order.model.empty() &&
      !HasPrice(prices_, order.provider, order.model, time)) {
    hold.denial = ModelDenial{.cause = DenialCause::kNoPrice,
                              .choices = {ChoiceText(order.amounts.usd_nanos, "")}};
  }
  const bool limited = std::any_of(budgets_.begin(), budgets_.end(), [&](const auto& entry) {
    return entry.second.limit.has_value() && hold.scopes.contains(entry.second.scope);
  });
  if (!hold.denial.has_value() && require_budget_ && !limited) {
    hold.denial = ModelDenial{.cause = DenialCause::kNoBudget,
                              .choices = {ChoiceText(order.amounts.usd_nanos, "")}};
  }
  hold.held = hold.order.amounts;
  if (!hold.denial.has_value()) {
    hold.denial = Admit(hold, constraints, envelope, hold.held, order.minimum, time);
  }
  Record();
  if (hold.denial.has_value()) {
    hold.state = ReservationState::kDenied;
    hold.held = {};
    Event("budget.denied");
    return Tell(holds_.emplace(order.key, hold).first->second);
  }
  hold.drawing = envelope != nullptr;
  const ModelHold& stored = holds_.emplace(order.key, hold).first->second;
  for (const std::string& id : constraints) {
    const ModelBudget& budget = budgets_.at(id);
    if (!is_call && hold.held.Of(budget.metric) == 0) continue;
    Touch(id, LabelOf(budget, stored));
  }
  return Tell(stored);
}

}  // namespace slipway::ledger::simulator
