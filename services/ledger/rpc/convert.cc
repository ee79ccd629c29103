#include "services/ledger/rpc/convert.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/domain/projection.h"

namespace slipway::ledger {
namespace {

constexpr int64_t kSecondsMax = 253'402'300'799;  // The last second of the year 9999.

Amounts FromProto(const pb::Amounts& amounts) {
  return {
      .usd_nanos = amounts.usd_nanos(), .tokens = amounts.tokens(), .requests = amounts.requests()};
}

ScopePath FromProto(const pb::ScopePath& scopes) {
  return {.project = scopes.project(),
          .plan = scopes.plan(),
          .task = scopes.task(),
          .attempt = scopes.attempt(),
          .role = scopes.role()};
}

TokenCounts FromProto(const pb::TokenCounts& tokens) {
  return {.input = tokens.input(),
          .cache_read = tokens.cache_read(),
          .cache_write = tokens.cache_write(),
          .cache_write_long = tokens.cache_write_long(),
          .output = tokens.output(),
          .reasoning = tokens.reasoning(),
          .searches = tokens.searches()};
}

pb::Amounts ToProto(const Amounts& amounts) {
  pb::Amounts proto;
  proto.set_usd_nanos(amounts.usd_nanos);
  proto.set_tokens(amounts.tokens);
  proto.set_requests(amounts.requests);
  return proto;
}

pb::ScopePath ToProto(const ScopePath& scopes) {
  pb::ScopePath proto;
  proto.set_project(scopes.project);
  proto.set_plan(scopes.plan);
  proto.set_task(scopes.task);
  proto.set_attempt(scopes.attempt);
  proto.set_role(scopes.role);
  return proto;
}

pb::TokenCounts ToProto(const TokenCounts& tokens) {
  pb::TokenCounts proto;
  proto.set_input(tokens.input);
  proto.set_cache_read(tokens.cache_read);
  proto.set_cache_write(tokens.cache_write);
  proto.set_cache_write_long(tokens.cache_write_long);
  proto.set_output(tokens.output);
  proto.set_reasoning(tokens.reasoning);
  proto.set_searches(tokens.searches);
  return proto;
}

// A budget that was stored with a reply has no zone but its name.
absl::TimeZone ZoneOf(const Budget& budget) {
  return FindTimeZone(budget.time_zone).value_or(absl::UTCTimeZone());
}

absl::StatusOr<absl::Time> CheckedTime(const google::protobuf::Timestamp& time) {
  if (time.seconds() < 0 || time.seconds() > kSecondsMax || time.nanos() < 0 ||
      time.nanos() > 999'999'999) {
    return FieldInvalid("start_time or end_time", "is not between the years 1970 and 9999");
  }
  return rpc::FromProto(time);
}

}  // namespace

absl::StatusOr<absl::Duration> LifetimeFromProto(const google::protobuf::Duration& lifetime) {
  // Far ends are the ledger's business; these bounds only keep the sum exact.
  if (lifetime.seconds() < 0 || lifetime.seconds() > kSecondsMax || lifetime.nanos() < 0) {
    return LifetimeInvalid(absl::Seconds(lifetime.seconds()));
  }
  return absl::Seconds(lifetime.seconds()) + absl::Nanoseconds(lifetime.nanos());
}

absl::StatusOr<ReserveOrder> FromProto(const pb::ReserveRequest& request) {
  ReserveOrder order = {.key = request.key(),
                        .scopes = FromProto(request.scopes()),
                        .amounts = FromProto(request.amounts()),
                        .envelope = request.envelope(),
                        .owner = request.owner(),
                        .provider = request.provider(),
                        .model = request.model(),
                        .service_tier = request.service_tier(),
                        .owner_epoch = request.owner_epoch()};
  if (request.kind() != pb::Reservation::KIND_CALL &&
      request.kind() != pb::Reservation::KIND_ENVELOPE) {
    return FieldInvalid("kind", "must be KIND_CALL or KIND_ENVELOPE");
  }
  order.kind = static_cast<ReservationKind>(request.kind());
  order.minimum = request.has_minimum() ? FromProto(request.minimum()) : order.amounts;
  ASSIGN_OR_RETURN(order.lifetime, LifetimeFromProto(request.lifetime()));
  return order;
}

TopUpOrder FromProto(const pb::TopUpRequest& request) {
  return {.key = request.key(),
          .reservation = request.reservation(),
          .amounts = FromProto(request.amounts())};
}

QuoteOrder FromProto(const pb::QuoteRequest& request) {
  return {.provider = request.provider(),
          .model = request.model(),
          .service_tier = request.service_tier(),
          .input_tokens = request.input_tokens(),
          .output_tokens = request.output_tokens(),
          .searches = request.searches()};
}

SettleOrder FromProto(const pb::SettleRequest& request) {
  SettleOrder order = {.key = request.key(),
                       .outcome_unknown = request.outcome_unknown(),
                       .provider = request.provider(),
                       .model = request.model(),
                       .service_tier = request.service_tier(),
                       .provider_request_id = request.provider_request_id()};
  if (request.has_tokens()) order.tokens = FromProto(request.tokens());
  if (request.has_cost_usd_nanos()) order.cost_usd_nanos = request.cost_usd_nanos();
  return order;
}

absl::StatusOr<BudgetOrder> FromProto(const pb::SetBudgetRequest& request,
                                      const std::string& actor) {
  const pb::Budget& budget = request.budget();
  if (budget.metric() < pb::METRIC_USD_NANOS || budget.metric() > pb::METRIC_REQUESTS) {
    return FieldInvalid("metric", "must be METRIC_USD_NANOS, METRIC_TOKENS or METRIC_REQUESTS");
  }
  if (budget.window() < pb::WINDOW_TOTAL || budget.window() > pb::WINDOW_DAY) {
    return FieldInvalid("window", "must be WINDOW_TOTAL, WINDOW_MONTH or WINDOW_DAY");
  }
  return BudgetOrder{
      .scope = budget.scope(),
      .metric = static_cast<Metric>(budget.metric()),
      .window = budget.window() == pb::WINDOW_TOTAL   ? Window::kTotal
                : budget.window() == pb::WINDOW_MONTH ? Window::kMonth
                                                      : Window::kDay,
      .time_zone = budget.time_zone(),
      .limit = budget.limit(),
      .frozen = budget.frozen(),
      .warn_percents = {budget.warn_percents().begin(), budget.warn_percents().end()},
      .expected_version = request.expected_version(),
      .request_id = request.request_id(),
      .actor = actor};
}

Price FromProto(const pb::Price& price) {
  return {.provider = price.provider(),
          .model = price.model(),
          .service_tier = price.service_tier(),
          .effective_time = price.has_effective_time() ? rpc::FromProto(price.effective_time())
                                                       : absl::InfinitePast(),
          .context_threshold_tokens = price.context_threshold_tokens(),
          .input_pico_usd = price.input_pico_usd(),
          .cache_read_pico_usd = price.cache_read_pico_usd(),
          .cache_write_pico_usd = price.cache_write_pico_usd(),
          .cache_write_long_pico_usd = price.cache_write_long_pico_usd(),
          .output_pico_usd = price.output_pico_usd(),
          .search_usd_nanos = price.search_usd_nanos(),
          .source = price.source()};
}

absl::StatusOr<UsageFilter> FilterFromProto(const pb::QueryUsageRequest& request) {
  UsageFilter filter = {.scope = request.scope()};
  if (request.has_start_time()) {
    ASSIGN_OR_RETURN(filter.start, CheckedTime(request.start_time()));
  }
  if (request.has_end_time()) {
    ASSIGN_OR_RETURN(filter.end, CheckedTime(request.end_time()));
  }
  return filter;
}

absl::StatusOr<UsageGroups> GroupsFromProto(const pb::QueryUsageRequest& request) {
  UsageGroups groups;
  const std::pair<const char*, bool*> fields[] = {
      {"day", &groups.day},           {"project", &groups.project}, {"plan", &groups.plan},
      {"task", &groups.task},         {"attempt", &groups.attempt}, {"role", &groups.role},
      {"provider", &groups.provider}, {"model", &groups.model}};
  for (const std::string& name : request.group_by()) {
    bool found = false;
    for (const auto& [field, chosen] : fields) {
      if (name != field || *chosen) continue;
      *chosen = found = true;
    }
    if (!found) return GroupInvalid(name);
  }
  return groups;
}

pb::Reservation ToProto(const Reservation& reservation, Detail detail) {
  const ReserveOrder& order = reservation.order;
  pb::Reservation proto;
  proto.set_key(order.key);
  proto.set_state(static_cast<pb::Reservation::State>(reservation.state));
  *proto.mutable_held() = ToProto(reservation.held);
  if (reservation.state != ReservationState::kDenied) {
    *proto.mutable_settled() = ToProto(reservation.settled);
  }
  if (reservation.state == ReservationState::kHeld) {
    *proto.mutable_expire_time() = rpc::ToProto(reservation.expire_time);
  }
  if (reservation.denial.has_value()) *proto.mutable_denial() = ToProto(*reservation.denial);
  if (detail == Detail::kOutcome) return proto;
  proto.set_kind(static_cast<pb::Reservation::Kind>(order.kind));
  *proto.mutable_scopes() = ToProto(order.scopes);
  proto.set_envelope(order.envelope);
  proto.set_owner(order.owner);
  proto.set_owner_epoch(order.owner_epoch);
  return proto;
}

pb::Denial ToProto(const Denial& denial) {
  pb::Denial proto;
  proto.set_cause(static_cast<pb::Denial::Cause>(denial.cause));
  if (denial.balance.has_value()) *proto.mutable_balance() = ToProto(*denial.balance);
  proto.set_requested(denial.requested);
  if (denial.retry_time.has_value()) *proto.mutable_retry_time() = rpc::ToProto(*denial.retry_time);
  proto.set_frozen_scope(denial.frozen_scope);
  return proto;
}

pb::FrozenScope ToProto(const FrozenScope& scope) {
  pb::FrozenScope proto;
  proto.set_scope(scope.scope);
  proto.set_reason(scope.reason);
  proto.set_actor(scope.actor);
  *proto.mutable_freeze_time() = rpc::ToProto(scope.freeze_time);
  return proto;
}

pb::GetBudgetResponse ToProto(const BudgetHistory& history) {
  pb::GetBudgetResponse proto;
  *proto.mutable_balance() = ToProto(history.balance);
  int64_t so_far = 0;
  for (const SpendDay& day : history.days) {
    so_far += day.spent;
    pb::GetBudgetResponse::Day& to = *proto.add_days();
    *to.mutable_day_time() = rpc::ToProto(day.day);
    to.set_spent(day.spent);
    to.set_spent_so_far(so_far);
  }
  return proto;
}

pb::Balance ToProto(const Balance& balance) {
  const Budget& budget = balance.budget;
  const Bucket& bucket = balance.bucket;
  pb::Balance proto;
  pb::Budget& to = *proto.mutable_budget();
  to.set_name(absl::StrCat("budgets/", budget.id));
  to.set_scope(budget.scope);
  to.set_metric(static_cast<pb::Metric>(budget.metric));
  to.set_window(static_cast<pb::Window>(budget.window));
  to.set_time_zone(budget.time_zone);
  to.set_limit(budget.limit.value_or(0));
  to.set_version(budget.version);
  to.set_frozen(budget.frozen || bucket.frozen);
  for (const int32_t percent : budget.warn_percents) to.add_warn_percents(percent);
  if (budget.window != Window::kTotal) {
    *proto.mutable_window_start_time() = rpc::ToProto(bucket.window_start);
    *proto.mutable_window_end_time() =
        rpc::ToProto(WindowEnd(budget.window, ZoneOf(budget), bucket.window_start));
  }
  proto.set_posted(bucket.posted);
  proto.set_reserved(bucket.reserved);
  proto.set_remaining(budget.limit.value_or(INT64_MAX) - bucket.posted - bucket.reserved);
  proto.set_overage(bucket.overage);
  const std::optional<Projection> projection =
      balance.as_of == absl::InfinitePast() ? std::nullopt : ProjectionAt(balance, balance.as_of);
  if (projection.has_value()) {
    pb::Projection& to_projection = *proto.mutable_projection();
    if (projection->posted_at_end.has_value()) {
      to_projection.set_posted_at_end(*projection->posted_at_end);
    }
    if (projection->exhaust_time.has_value()) {
      *to_projection.mutable_exhaust_time() = rpc::ToProto(*projection->exhaust_time);
    }
  }
  return proto;
}

pb::UsageRecord ToProto(const UsageRecord& record) {
  pb::UsageRecord proto;
  proto.set_reservation(record.reservation);
  *proto.mutable_record_time() = rpc::ToProto(record.record_time);
  *proto.mutable_scopes() = ToProto(record.scopes);
  proto.set_provider(record.provider);
  proto.set_model(record.model);
  proto.set_service_tier(record.service_tier);
  *proto.mutable_tokens() = ToProto(record.tokens);
  proto.set_cost_usd_nanos(record.charged.usd_nanos);
  proto.set_basis(static_cast<pb::Basis>(record.basis));
  proto.set_provider_request_id(record.provider_request_id);
  return proto;
}

pb::UsageRollup ToProto(const UsageRollup& rollup) {
  pb::UsageRollup proto;
  if (rollup.day.has_value()) *proto.mutable_day_time() = rpc::ToProto(*rollup.day);
  *proto.mutable_scopes() = ToProto(rollup.scopes);
  proto.set_provider(rollup.provider);
  proto.set_model(rollup.model);
  proto.set_calls(rollup.calls);
  *proto.mutable_tokens() = ToProto(rollup.tokens);
  proto.set_cost_usd_nanos(rollup.cost_usd_nanos);
  proto.set_estimated_usd_nanos(rollup.estimated_usd_nanos);
  return proto;
}

pb::AuditResponse ToProto(const AuditResult& result) {
  pb::AuditResponse proto;
  for (const AuditCheck& check : result.checks) {
    pb::AuditResponse::Check& to = *proto.add_checks();
    to.set_invariant(check.invariant);
    to.set_checked(check.checked);
    for (const std::string& breach : check.breaches) to.add_breaches(breach);
  }
  *proto.mutable_audit_time() = rpc::ToProto(result.time);
  return proto;
}

pb::Price ToProto(const Price& price) {
  pb::Price proto;
  proto.set_name(absl::StrCat("prices/", price.id));
  proto.set_provider(price.provider);
  proto.set_model(price.model);
  proto.set_service_tier(price.service_tier);
  *proto.mutable_effective_time() = rpc::ToProto(price.effective_time);
  proto.set_context_threshold_tokens(price.context_threshold_tokens);
  proto.set_input_pico_usd(price.input_pico_usd);
  proto.set_cache_read_pico_usd(price.cache_read_pico_usd);
  proto.set_cache_write_pico_usd(price.cache_write_pico_usd);
  proto.set_cache_write_long_pico_usd(price.cache_write_long_pico_usd);
  proto.set_output_pico_usd(price.output_pico_usd);
  proto.set_search_usd_nanos(price.search_usd_nanos);
  proto.set_source(price.source);
  return proto;
}

}  // namespace slipway::ledger
