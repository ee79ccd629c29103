#include "services/ledger/simulator/workload.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"

namespace slipway::ledger::simulator {
namespace {

const std::vector<std::string>& Zones() {
  static const auto* const zones = new std::vector<std::string>{
      "", "", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu"};
  return *zones;
}

absl::TimeZone ZoneOf(const std::string& name) {
  absl::TimeZone zone = absl::UTCTimeZone();
  if (!name.empty()) absl::LoadTimeZone(name, &zone);
  return zone;
}

}  // namespace

absl::Time Workload::Start(faultdisk::Random& random) {
  // Just before a month ends and before clocks change, in zones where that is at odd times.
  using Moment = absl::CivilSecond;
  static const Moment kMoments[] = {Moment(2026, 10, 31, 22, 59, 50), Moment(2026, 10, 31, 23, 59),
                                    Moment(2026, 10, 25, 0, 59, 30),  Moment(2027, 3, 28, 0, 59),
                                    Moment(2026, 11, 1, 4, 59, 30),   Moment(2026, 12, 31, 23, 59),
                                    Moment(2028, 2, 28, 23, 58, 0)};
  const absl::CivilSecond moment = kMoments[random.Below(7)];
  return absl::FromCivil(moment, absl::UTCTimeZone()) - absl::Seconds(random.Between(0, 40'000));
}

absl::Duration Workload::Pause(absl::Time now) {
  const uint64_t draw = random_.Below(100);
  if (draw < 40) return absl::Microseconds(random_.Between(0, 400'000));
  if (draw < 70) return absl::Milliseconds(random_.Between(500, 5'000));
  if (draw < 85) return absl::Seconds(random_.Between(10, 900));
  if (draw < 92) return absl::Minutes(random_.Between(20, 300));
  // To the moment at which a day begins somewhere, or a breath before or after.
  const absl::TimeZone zone = ZoneOf(OneOf(Zones()));
  const absl::Time midnight = absl::FromCivil(absl::ToCivilDay(now, zone) + 1, zone);
  const absl::Duration offsets[] = {absl::ZeroDuration(), absl::Microseconds(-1),
                                    absl::Milliseconds(-1), absl::Microseconds(1)};
  return std::max(absl::ZeroDuration(), midnight - now + offsets[random_.Below(4)]);
}

std::string Workload::NewKey(const char* prefix) { return absl::StrCat(prefix, next_key_++); }

ScopePath Workload::AnyScopes() {
  const std::string project = absl::StrCat("projects/p", random_.Below(2));
  const std::string plan = absl::StrCat(project, "/plans/a", random_.Below(2));
  const std::string task = absl::StrCat(plan, "/tasks/t", random_.Below(2));
  const std::string attempt = absl::StrCat(task, "/attempts/", random_.Between(1, 2));
  ScopePath path;
  if (random_.Percent(60)) path.role = random_.OneIn(2) ? "builder" : "critic";
  switch (random_.Below(10)) {
    case 0:
      path.project = project;
      return path;
    case 1:
    case 2:
      path.plan = plan;
      return path;
    case 3:
    case 4:
      path.task = task;
      return path;
    default:
      path.attempt = attempt;
  }
  if (random_.OneIn(60)) path.plan = "projects/p9/plans/other";
  if (random_.OneIn(60)) path.role = "NOT A ROLE";
  return random_.OneIn(60) ? ScopePath() : path;
}

std::string Workload::AnyBudgetScope() {
  const ScopePath path = AnyScopes();
  const std::string project = absl::StrCat("projects/p", random_.Below(2));
  if (random_.OneIn(4)) return "organisation";
  if (random_.OneIn(4)) return absl::StrCat(project, "/roles/builder");
  if (random_.OneIn(3)) return project;
  return random_.OneIn(40) ? "projects/p0/plans" : absl::StrCat(project, "/plans/a0");
}

int64_t Workload::AnyAmount() {
  switch (random_.Below(40)) {
    case 0:
      return 0;
    case 1:
      return -1;
    case 2:
      return INT64_MAX;
    case 3:
      return 1'000'000'000'000'000;
    case 4:
      return random_.Between(1, 100'000);
    default:
      return random_.Between(1, 300);
  }
}

Amounts Workload::AnyAmounts() {
  Amounts amounts = {.usd_nanos = AnyAmount()};
  if (random_.OneIn(2)) amounts.tokens = AnyAmount();
  if (random_.OneIn(6)) amounts.requests = random_.Between(0, 3);
  return amounts;
}

TokenCounts Workload::AnyTokens() {
  TokenCounts tokens = {.input = random_.Between(0, 200), .output = random_.Between(0, 100)};
  if (random_.OneIn(3)) tokens.cache_read = random_.Between(0, 100);
  if (random_.OneIn(5)) tokens.cache_write = random_.Between(0, 50);
  if (random_.OneIn(9)) tokens.cache_write_long = random_.Between(0, 50);
  if (random_.OneIn(6)) tokens.reasoning = tokens.output / 2;
  if (random_.OneIn(9)) tokens.searches = random_.Between(0, 3);
  if (random_.OneIn(60)) tokens.input = -1;
  if (random_.OneIn(60)) tokens.output = INT64_MAX;
  return tokens;
}

absl::Duration Workload::AnyLifetime() {
  switch (random_.Below(20)) {
    case 0:
      return absl::ZeroDuration();
    case 1:
      return absl::Hours(25);
    case 2:
      return absl::Microseconds(1);
    case 3:
      return absl::Hours(24);
    default:
      return absl::Seconds(random_.Between(1, random_.OneIn(2) ? 30 : 3'000));
  }
}

std::string Workload::AnyOwner() { return absl::StrCat("owner-", random_.Below(3)); }

std::string Workload::AnyKey(const Model& model) {
  if (model.holds().empty() || random_.OneIn(40)) return "never-used";
  auto found = model.holds().begin();
  std::advance(found, random_.Below(model.holds().size()));
  return found->first;
}

std::string Workload::KeyIn(const Model& model, ReservationState state) {
  std::vector<std::string> keys;
  for (const auto& [key, hold] : model.holds()) {
    if (hold.state == state) keys.push_back(key);
  }
  return keys.empty() || random_.OneIn(10) ? AnyKey(model) : OneOf(keys);
}

Operation Workload::NewReserve(const Model& model) {
  ReserveOrder order = {.key = NewKey("r"),
                        .scopes = AnyScopes(),
                        .amounts = AnyAmounts(),
                        .lifetime = AnyLifetime(),
                        .owner = AnyOwner()};
  order.minimum = order.amounts;
  if (random_.OneIn(3)) order.minimum = {};
  if (random_.OneIn(4)) order.minimum.usd_nanos = order.amounts.usd_nanos / 2;
  if (random_.OneIn(60)) order.minimum.tokens = order.amounts.tokens + 1;
  if (random_.OneIn(3)) order.owner_epoch = random_.Between(1, 3);
  if (random_.OneIn(3)) {
    order.provider = "acme";
    order.model = random_.OneIn(5) ? "unpriced" : "large";
    if (random_.OneIn(3)) order.service_tier = random_.OneIn(2) ? "priority" : "standard";
  }
  if (random_.OneIn(5)) {
    order.kind = ReservationKind::kEnvelope;
    order.amounts.usd_nanos = std::min<int64_t>(order.amounts.usd_nanos, 1'000) * 3;
    order.minimum = random_.OneIn(2) ? order.amounts : Amounts();
    order.lifetime = absl::Minutes(random_.Between(1, 600));
    return order;
  }
  if (random_.OneIn(3)) {
    for (const auto& [key, hold] : model.holds()) {
      const bool is_open =
          hold.order.kind == ReservationKind::kEnvelope && hold.state == ReservationState::kHeld;
      if (!is_open || !random_.OneIn(2)) continue;
      order.envelope = key;
      order.scopes = hold.order.scopes;
    }
    if (random_.OneIn(20)) order.envelope = AnyKey(model);
  }
  if (random_.OneIn(150)) order.key = random_.OneIn(2) ? "" : "tab\tkey";
  return order;
}

Operation Workload::NewSettle(const Model& model) {
  const bool late = random_.OneIn(5);
  SettleOrder order = {
      .key = KeyIn(model, late ? ReservationState::kExpiredCharged : ReservationState::kHeld)};
  const auto found = model.holds().find(order.key);
  const int64_t held = found == model.holds().end() ? 100 : found->second.held.usd_nanos;
  if (!random_.OneIn(8)) order.tokens = AnyTokens();
  if (random_.Percent(60)) order.cost_usd_nanos = random_.Between(0, std::max<int64_t>(held, 1));
  if (random_.OneIn(12)) order.cost_usd_nanos = held + random_.Between(1, 400);
  if (random_.OneIn(60)) order.cost_usd_nanos = AnyAmount();
  if (random_.OneIn(8)) order.outcome_unknown = true;
  if (random_.OneIn(4)) order.provider_request_id = "upstream-1";
  if (random_.OneIn(8)) order.service_tier = "priority";
  if (random_.OneIn(8)) order.model = random_.OneIn(2) ? "large" : "large-2026-10-01";
  return order;
}

Operation Workload::NewAdjust(const Model& model) {
  AdjustOrder order = {.key = NewKey("j"),
                       .reservation = KeyIn(model, ReservationState::kSettled),
                       .delta_usd_nanos = random_.Between(-60, 120),
                       .evidence = "invoice"};
  if (random_.OneIn(6)) order.reservation = KeyIn(model, ReservationState::kReleased);
  if (random_.OneIn(6)) order.reservation = KeyIn(model, ReservationState::kExpiredCharged);
  if (random_.OneIn(20)) order.delta_usd_nanos = AnyAmount();
  // The name that the ledger itself gives to the correction of a late settlement.
  if (random_.OneIn(12)) order.key = absl::StrCat("late:", AnyKey(model));
  return order;
}

Operation Workload::NewTopUp(const Model& model) {
  TopUpOrder order = {.key = NewKey("u"),
                      .reservation = KeyIn(model, ReservationState::kHeld),
                      .amounts = {.usd_nanos = AnyAmount()}};
  if (random_.OneIn(4)) order.amounts.tokens = AnyAmount();
  if (random_.OneIn(12)) order.amounts = {};
  return order;
}

Operation Workload::NewBudget(const Model& model) {
  BudgetOrder order = {.scope = AnyBudgetScope(),
                       .metric = kMetrics[random_.OneIn(2) ? 0 : random_.Below(3)],
                       .window = static_cast<Window>(random_.Between(1, 3)),
                       .time_zone = OneOf(Zones()),
                       .actor = "ada"};
  // Mostly one that is known: limits that change under open holds.
  if (!model.budgets().empty() && !random_.OneIn(3)) {
    auto found = model.budgets().begin();
    std::advance(found, random_.Below(model.budgets().size()));
    order.scope = found->second.scope;
    order.metric = found->second.metric;
    order.window = found->second.window;
    if (!random_.OneIn(12)) order.time_zone = found->second.zone;
    if (random_.OneIn(3)) order.expected_version = found->second.version - random_.Between(0, 1);
  }
  const bool is_count = order.metric == Metric::kRequests;
  order.limit = random_.Between(1, is_count ? 30 : 3'000);
  if (random_.OneIn(12)) order.limit = 0;
  if (random_.OneIn(40)) order.limit = -5;
  if (random_.OneIn(20)) order.limit = INT64_MAX;
  if (random_.OneIn(3)) order.warn_percents = {50, 80};
  if (random_.OneIn(9)) order.warn_percents = {100, 25, 25};
  if (random_.OneIn(60)) order.warn_percents = {101};
  if (random_.OneIn(12)) order.frozen = true;
  if (random_.OneIn(60)) order.time_zone = "Mars/Base";
  if (random_.OneIn(2)) order.request_id = NewKey("b");
  return order;
}

Operation Workload::NewImport(absl::Time now) {
  ImportOrder order;
  const int64_t count = random_.Between(1, 3);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t rate = random_.Between(200, 3'000);
    order.rows.push_back({.provider = "acme",
                          .model = random_.OneIn(4) ? "small" : "large",
                          .service_tier = random_.OneIn(4) ? "priority" : "",
                          .effective_time = now + absl::Hours(random_.Between(-30, 30)),
                          .context_threshold_tokens = random_.OneIn(4) ? 150 : 0,
                          .input_pico_usd = rate,
                          .cache_read_pico_usd = rate / 2,
                          .cache_write_pico_usd = rate + 7,
                          .cache_write_long_pico_usd = rate * 2,
                          .output_pico_usd = rate * 3,
                          .search_usd_nanos = random_.Between(1, 5)});
    if (random_.OneIn(20)) order.rows.back().input_pico_usd = rate * 1'000;
    if (random_.OneIn(30)) order.rows.back().output_pico_usd = -1;
  }
  for (Price& row : order.rows) {
    row.effective_time = absl::FromUnixSeconds(absl::ToUnixSeconds(row.effective_time));
  }
  if (random_.OneIn(6)) order.accept = {"acme/large"};
  return order;
}

Operation Workload::Next(const Model& model, absl::Time now) {
  const uint64_t draw = random_.Below(100);
  if (model.budgets().size() < 4 && random_.OneIn(3)) return NewBudget(model);
  if (model.prices().empty() && random_.OneIn(6)) return NewImport(now);
  if (draw < 40) return NewReserve(model);
  if (draw < 66) return NewSettle(model);
  if (draw < 71) {
    return ReleaseOrder{.key = KeyIn(model, ReservationState::kHeld),
                        .proof = static_cast<Proof>(random_.Between(1, 3))};
  }
  if (draw < 75) {
    return ExtendOrder{KeyIn(model, ReservationState::kHeld), AnyLifetime()};
  }
  if (draw < 80) return NewTopUp(model);
  if (draw < 85) return NewAdjust(model);
  if (draw < 92) return NewBudget(model);
  if (draw < 94 && !model.budgets().empty()) {
    auto found = model.budgets().begin();
    std::advance(found, random_.Below(model.budgets().size()));
    return DeleteOrder{random_.OneIn(10) ? "b-unknown" : found->first};
  }
  if (draw < 96) {
    return FreezeOrder{
        .scope = AnyBudgetScope(), .frozen = random_.OneIn(4), .reason = "to look", .actor = "ada"};
  }
  if (draw < 98) return NewImport(now);
  return OwnerOrder{AnyOwner(), random_.OneIn(2) ? 0 : random_.Between(1, 3)};
}

}  // namespace slipway::ledger::simulator
