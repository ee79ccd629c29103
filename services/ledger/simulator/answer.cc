#include "services/ledger/simulator/answer.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/ledger/simulator/model.h"

namespace slipway::ledger::simulator {
namespace {

std::string TimeText(std::optional<absl::Time> time) {
  return time.has_value() ? absl::StrCat(absl::ToUnixMicros(*time)) : "-";
}

}  // namespace

std::string TextOf(const Amounts& amounts) {
  return absl::StrCat(amounts.usd_nanos, "/", amounts.tokens, "/", amounts.requests);
}

std::string TextOf(const ReserveOrder& order) {
  const ScopePath& scopes = order.scopes;
  return absl::StrCat(order.key, " ", NameOf(order.kind), " ", scopes.project, "|", scopes.plan,
                      "|", scopes.task, "|", scopes.attempt, "|", scopes.role, " asks ",
                      TextOf(order.amounts), " least ", TextOf(order.minimum), " of '",
                      order.envelope, "' for ",
                      absl::StrCat(absl::ToInt64Microseconds(order.lifetime), "us by ", order.owner,
                                   "#", order.owner_epoch, " at ", order.provider, "/", order.model,
                                   "/", order.service_tier));
}

std::string StateText(ReservationState state, const Amounts& held, const Amounts& settled,
                      absl::Time charge_time, absl::Time expire_time) {
  return absl::StrCat(NameOf(state), " held ", TextOf(held), " settled ", TextOf(settled),
                      " charged at ", TimeText(charge_time), " until ", TimeText(expire_time));
}

std::string DenialText(DenialCause cause, std::optional<absl::Time> retry,
                       const std::string& frozen_scope) {
  return absl::StrCat(" denied: ", NameOf(cause), " retry ", TimeText(retry), " frozen '",
                      frozen_scope, "'");
}

std::string BalanceText(const Budget& budget, int64_t label, const Bucket& bucket) {
  return absl::StrCat(budget.scope, " ", NameOf(budget.metric), " ", NameOf(budget.window), " '",
                      budget.time_zone, "' ", label, " limit ",
                      budget.limit.has_value() ? absl::StrCat(*budget.limit) : "none", " version ",
                      budget.version,
                      absl::StrCat(budget.frozen ? " frozen" : "", " warns ",
                                   absl::StrJoin(budget.warn_percents, ","), ": posted ",
                                   bucket.posted, " reserved ", bucket.reserved, " overage ",
                                   bucket.overage, bucket.frozen ? " frozen" : ""));
}

std::string ChoiceText(int64_t requested, const std::string& balance) {
  return absl::StrCat("of ", requested, " by ", balance);
}

std::string ChoiceText(const Denial& denial) {
  return ChoiceText(denial.requested, denial.balance.has_value() ? TextOf(*denial.balance) : "");
}

std::string TextOf(const Reservation& reservation) {
  std::string text =
      absl::StrCat(TextOf(reservation.order), " ",
                   StateText(reservation.state, reservation.held, reservation.settled,
                             reservation.charge_time, reservation.expire_time));
  if (reservation.denial.has_value()) {
    const Denial& denial = *reservation.denial;
    absl::StrAppend(&text, DenialText(denial.cause, denial.retry_time, denial.frozen_scope));
  }
  return text;
}

std::string TextOf(const UsageRecord& usage) {
  const TokenCounts& tokens = usage.tokens;
  return absl::StrCat(
      usage.reservation, " usage of ", usage.provider, "/", usage.model, "/", usage.service_tier,
      " tokens ",
      absl::StrJoin({tokens.input, tokens.cache_read, tokens.cache_write, tokens.cache_write_long,
                     tokens.output, tokens.reasoning, tokens.searches},
                    ","),
      " charged ", TextOf(usage.charged), " first ", usage.first_cost, " basis ",
      NameOf(usage.basis), " id '", usage.provider_request_id, "' price ",
      absl::StrCat(usage.price, " recorded ", TimeText(usage.record_time), " for ",
                   TimeText(usage.charge_time)));
}

std::string TextOf(const Settlement& settlement) {
  return absl::StrCat(TextOf(settlement.reservation), " ",
                      settlement.usage.has_value() ? TextOf(*settlement.usage) : "no usage");
}

std::string TextOf(const Balance& balance) {
  const int64_t label =
      Model::LabelAt(balance.budget.window, balance.budget.time_zone, balance.bucket.window_start);
  return BalanceText(balance.budget, label, balance.bucket);
}

std::string TextOf(const ledger::TopUp& top_up) {
  std::string text = TextOf(top_up.reservation);
  if (top_up.denial.has_value()) {
    const Denial& denial = *top_up.denial;
    absl::StrAppend(&text, " top-up",
                    DenialText(denial.cause, denial.retry_time, denial.frozen_scope));
  }
  return text;
}

std::string TextOf(const std::optional<FrozenScope>& scope) {
  if (!scope.has_value()) return "not frozen";
  return absl::StrCat(scope->scope, " frozen by ", scope->actor, " as '", scope->reason, "' at ",
                      TimeText(scope->freeze_time));
}

std::string TextOf(const PriceBook::Import& import) {
  std::string text = absl::StrCat("unchanged ", import.unchanged, " added");
  for (const Price& price : import.added) absl::StrAppend(&text, " ", price.id);
  return text;
}

std::string TextOf(const Closing& closing) {
  return absl::StrCat("closed ", closing.closed, " charged ", closing.charged_usd_nanos);
}

}  // namespace slipway::ledger::simulator
