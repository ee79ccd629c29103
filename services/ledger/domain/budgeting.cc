// How limits change: the third part of Ledger.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/digest.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/domain/event_drafts.h"
#include "services/ledger/domain/journal_facts.h"
#include "services/ledger/domain/key.h"
#include "services/ledger/domain/ledger.h"
#include "services/ledger/domain/limits.h"
#include "services/ledger/domain/stored_form.h"

namespace slipway::ledger {
namespace {

std::string DigestOf(const BudgetOrder& order) {
  return base::Sha256Hex(absl::StrCat(
      order.scope, "\n", NameOf(order.metric), "\n", NameOf(order.window), "\n", order.time_zone,
      "\n",
      absl::StrCat(order.limit, "\n", order.frozen, "\n", absl::StrJoin(order.warn_percents, ","),
                   "\n", order.expected_version)));
}

absl::Status CheckOrder(BudgetOrder& order) {
  if (order.limit < 0) return AmountInvalid("limit", order.limit, INT64_MAX);
  if (!order.request_id.empty()) RETURN_IF_ERROR(CheckKey(order.request_id));
  if (order.warn_percents.size() > kWarnPercentsMax) {
    return FieldInvalid("warn_percents", "has more than 10 thresholds");
  }
  for (const int32_t percent : order.warn_percents) {
    if (percent < 1 || percent > 100) return AmountInvalid("warn_percents", percent, 100);
  }
  std::sort(order.warn_percents.begin(), order.warn_percents.end());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Balance> Ledger::SetBudget(const BudgetOrder& asked, absl::Time now,
                                          Changes& changes) {
  BudgetOrder order = asked;
  RETURN_IF_ERROR(CheckOrder(order));
  ASSIGN_OR_RETURN(const ScopePath path, ParseScope(order.scope));
  ASSIGN_OR_RETURN(const absl::TimeZone zone, FindTimeZone(order.time_zone));
  if (!order.request_id.empty()) {
    ASSIGN_OR_RETURN(const std::optional<StoredReply> reply, archive_.FindReply(order.request_id));
    if (reply.has_value()) {
      if (reply->digest != DigestOf(order)) return KeyReused(order.request_id, {"budget"});
      return DecodeBalance(reply->body);
    }
  }
  const std::string id = BudgetId(order.scope, order.metric, order.window);
  const Budget* const known = mirror_.FindBudget(id);
  const int64_t version = known == nullptr ? 0 : known->version;
  if (order.expected_version != 0 && order.expected_version != version) {
    return VersionMismatch(id, order.expected_version, version);
  }
  if (known != nullptr && known->window != Window::kTotal && known->time_zone != order.time_zone) {
    return TimeZoneFixed(order.scope, known->time_zone);
  }
  if (known == nullptr) RETURN_IF_ERROR(CheckSumOfHolds(path, order.metric));
  const absl::Time time = journal_.NotBefore(now);
  const std::optional<int64_t> old_limit = known == nullptr ? std::nullopt : known->limit;
  const absl::Time since = known == nullptr ? time : known->since;
  const bool was_frozen = known != nullptr && known->frozen;
  Step step(journal_, changes, time);
  Budget& budget = mirror_.PutBudget({.id = id,
                                      .scope = order.scope,
                                      .path = path,
                                      .metric = order.metric,
                                      .window = order.window,
                                      .time_zone = order.time_zone,
                                      .zone = zone,
                                      .limit = order.limit,
                                      .version = version + 1,
                                      .frozen = order.frozen,
                                      .warn_percents = order.warn_percents,
                                      .since = since});
  if (version == 0) RETURN_IF_ERROR(AttachHolds(budget, step));
  ASSIGN_OR_RETURN(Bucket* const bucket, mirror_.BucketOf(budget, budget.WindowStartAt(time)));
  step.Touch(*bucket);
  if ((was_frozen || bucket->frozen) != budget.frozen) {
    changes.events.push_back(BudgetFrozenEvent(budget, budget.frozen, order.actor));
  }
  bucket->frozen = false;
  if (version > 0 && old_limit != budget.limit) bucket->warned = 0;
  step.Warn(budget, *bucket);
  changes.budgets.push_back(budget);
  changes.events.push_back(BudgetChangedEvent(budget, old_limit, order.actor));
  const Balance balance{budget, *bucket};
  if (!order.request_id.empty()) {
    changes.replies.push_back({order.request_id, DigestOf(order), EncodeBalance(balance)});
  }
  step.Record("set_budget", id, nullptr, BudgetFacts(budget));
  return balance;
}

absl::Status Ledger::CheckSumOfHolds(const ScopePath& path, Metric metric) {
  constexpr int64_t kHeldMax = INT64_MAX / 2;  // The other half is for what is spent.
  int64_t room = kHeldMax;
  for (const auto& [key, held] : mirror_.held()) {
    const int64_t amount = held->held.Of(metric);
    if (!Covers(path, held->order.scopes)) continue;
    if (amount > room) return HeldTooMuch(kHeldMax);
    room -= amount;
  }
  return absl::OkStatus();
}

absl::Status Ledger::AttachHolds(Budget& budget, Step& step) {
  for (const auto& [key, held] : mirror_.held()) {
    const ReserveOrder& order = held->order;
    if (!Covers(budget.path, order.scopes)) continue;
    int64_t amount = held->held.Of(budget.metric);
    if (order.kind == ReservationKind::kEnvelope) {
      if (amount == 0) continue;  // Its calls hold for themselves.
      amount =
          std::max(amount - held->settled.Of(budget.metric), held->open_calls.Of(budget.metric));
    } else if (held->drawing) {
      const Reservation& envelope = *mirror_.FindHeld(order.envelope);
      if (envelope.held.Of(budget.metric) > 0 && Covers(budget.path, envelope.order.scopes)) {
        continue;
      }
    }
    ASSIGN_OR_RETURN(Bucket* const bucket,
                     mirror_.BucketOf(budget, budget.WindowStartAt(held->charge_time)));
    step.Post(budget, *bucket, {.reserved = amount});
    held->legs.push_back({.budget = budget.id,
                          .window_start = bucket->window_start,
                          .metric = budget.metric,
                          .amount = amount});
    step.changes().updated.push_back(*held);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<FrozenScope>> Ledger::FreezeScope(const FreezeOrder& order,
                                                               absl::Time now, Changes& changes) {
  ASSIGN_OR_RETURN(const ScopePath path, ParseScope(order.scope));
  if (order.reason.size() > kTextBytesMax) {
    return FieldInvalid("reason", "is longer than 500 bytes");
  }
  const FrozenScope* const known = mirror_.FindFrozen(order.scope);
  if (known != nullptr && order.frozen) return *known;
  if (known == nullptr && !order.frozen) return std::nullopt;
  Step step(journal_, changes, journal_.NotBefore(now));
  const FrozenScope scope = {.scope = order.scope,
                             .reason = order.reason,
                             .actor = order.actor,
                             .freeze_time = step.time()};
  if (order.frozen) {
    mirror_.PutFrozen(scope);
    changes.frozen.push_back(scope);
  } else {
    mirror_.DropFrozen(order.scope);
    changes.unfrozen.push_back(order.scope);
  }
  changes.events.push_back(ScopeFrozenEvent(path, scope, order.frozen));
  step.Record("freeze", order.scope, nullptr, FreezeFacts(order.frozen));
  if (!order.frozen) return std::nullopt;
  return scope;
}

absl::Status Ledger::DeleteBudget(const std::string& id, const std::string& actor, absl::Time now,
                                  Changes& changes) {
  Budget* const budget = mirror_.FindBudget(id);
  if (budget == nullptr || !budget->limit.has_value()) return BudgetUnknown(id);
  Step step(journal_, changes, journal_.NotBefore(now));
  const std::optional<int64_t> old_limit = budget->limit;
  budget->limit.reset();
  budget->frozen = false;
  ++budget->version;
  changes.budgets.push_back(*budget);
  changes.events.push_back(BudgetChangedEvent(*budget, old_limit, actor));
  step.Record("delete_budget", id, nullptr, BudgetFacts(*budget));
  return absl::OkStatus();
}

}  // namespace slipway::ledger
