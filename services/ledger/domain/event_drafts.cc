#include "services/ledger/domain/event_drafts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace slipway::ledger {
namespace {

using nlohmann::json;

std::string JsonText(const json& facts) {
  return facts.dump(-1, ' ', false, json::error_handler_t::replace);
}

// `value` as a JSON string. Nearly all are names that need no escapes.
std::string Quoted(const std::string& value) {
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) {
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
  });
  return plain ? absl::StrCat("\"", value, "\"") : JsonText(json(value));
}

events::EventDraft Draft(absl::string_view kind, const ScopePath& scopes, const std::string& text) {
  return {.kind = std::string(kind),
          .project = scopes.project,
          .plan = scopes.plan,
          .task = scopes.task,
          .attempt = scopes.attempt,
          .payload_json = events::PayloadJson(kind, text)};
}

events::EventDraft Draft(absl::string_view kind, const ScopePath& scopes, const json& facts) {
  return Draft(kind, scopes, JsonText(facts));
}

std::string NameOfBudget(const Budget& budget) { return absl::StrCat("budgets/", budget.id); }

}  // namespace

events::EventDraft BudgetChangedEvent(const Budget& budget, std::optional<int64_t> old_limit,
                                      const std::string& actor) {
  return Draft("budget.changed", budget.path,
               {{"budget", NameOfBudget(budget)},
                {"scope", budget.scope},
                {"metric", NameOf(budget.metric)},
                {"window", NameOf(budget.window)},
                {"old_limit", old_limit.value_or(-1)},
                {"new_limit", budget.limit.value_or(-1)},
                {"actor", actor}});
}

events::EventDraft BudgetDeniedEvent(const Reservation& reservation) {
  const Denial& denial = *reservation.denial;
  json facts = {{"reservation", reservation.key()},
                {"cause", NameOf(denial.cause)},
                {"requested", denial.requested}};
  if (denial.balance.has_value()) {
    const Budget& budget = denial.balance->budget;
    const Bucket& bucket = denial.balance->bucket;
    facts["budget"] = NameOfBudget(budget);
    facts["scope"] = budget.scope;
    facts["remaining"] = budget.limit.value_or(INT64_MAX) - bucket.posted - bucket.reserved;
  } else if (!denial.frozen_scope.empty()) {
    facts["scope"] = denial.frozen_scope;
  }
  return Draft("budget.denied", reservation.order.scopes, facts);
}

events::EventDraft BudgetFrozenEvent(const Budget& budget, bool frozen, const std::string& actor) {
  return Draft("budget.frozen", budget.path,
               {{"scope", budget.scope},
                {"budget", NameOfBudget(budget)},
                {"frozen", frozen},
                {"actor", actor}});
}

events::EventDraft ScopeFrozenEvent(const ScopePath& path, const FrozenScope& scope, bool frozen) {
  return Draft("budget.frozen", path,
               {{"scope", scope.scope},
                {"frozen", frozen},
                {"actor", scope.actor},
                {"reason", scope.reason}});
}

events::EventDraft BudgetWarnedEvent(const Budget& budget, int32_t percent, int64_t used) {
  return Draft("budget.warned", budget.path,
               {{"budget", NameOfBudget(budget)},
                {"percent", percent},
                {"used", used},
                {"limit", budget.limit.value_or(-1)}});
}

events::EventDraft UsageRecordedEvent(const UsageRecord& record) {
  // Made by hand: there is one for every call. Members are sorted, as in the others.
  std::string facts = absl::StrCat("{\"basis\":\"", NameOf(record.basis),
                                   "\",\"cost_usd_nanos\":", record.charged.usd_nanos,
                                   ",\"input_tokens\":", record.tokens.AllInput());
  absl::StrAppend(&facts, ",\"model\":", Quoted(record.model),
                  ",\"output_tokens\":", record.tokens.output);
  absl::StrAppend(&facts, ",\"provider\":", Quoted(record.provider),
                  ",\"reservation\":", Quoted(record.reservation));
  absl::StrAppend(&facts, ",\"role\":", Quoted(record.scopes.role), "}");
  return Draft("usage.recorded", record.scopes, facts);
}

events::EventDraft HoldExpiredEvent(const Reservation& reservation, int64_t charged_usd_nanos) {
  return Draft("hold.expired", reservation.order.scopes,
               {{"reservation", reservation.key()}, {"charged_usd_nanos", charged_usd_nanos}});
}

}  // namespace slipway::ledger
