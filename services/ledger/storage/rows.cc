#include "services/ledger/storage/rows.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/stored_form.h"

namespace slipway::ledger {
namespace {

ScopePath ReadScopes(const sqlite::Row& row, int first) {
  return {.project = row.Text(first),
          .plan = row.Text(first + 1),
          .task = row.Text(first + 2),
          .attempt = row.Text(first + 3),
          .role = row.Text(first + 4)};
}

Amounts ReadAmounts(const sqlite::Row& row, int first) {
  return {.usd_nanos = row.Int64(first),
          .tokens = row.Int64(first + 1),
          .requests = row.Int64(first + 2)};
}

}  // namespace

std::string WarnPercentsText(const Budget& budget) {
  return absl::StrJoin(budget.warn_percents, ",");
}

absl::StatusOr<Budget> ReadBudget(const sqlite::Row& row) {
  Budget budget = {.id = row.Text(0),
                   .scope = row.Text(1),
                   .metric = static_cast<Metric>(row.Int(2)),
                   .window = static_cast<Window>(row.Int(3)),
                   .time_zone = row.Text(4),
                   .limit = row.OptionalInt64(5),
                   .version = row.Int64(6),
                   .frozen = row.Bool(7),
                   .since = row.Time(9)};
  const std::string percents = row.Text(8);
  for (absl::string_view text : absl::StrSplit(percents, ',', absl::SkipEmpty())) {
    int32_t percent = 0;
    if (absl::SimpleAtoi(text, &percent)) budget.warn_percents.push_back(percent);
  }
  ASSIGN_OR_RETURN(budget.path, ParseScope(budget.scope));
  ASSIGN_OR_RETURN(budget.zone, FindTimeZone(budget.time_zone));
  return budget;
}

Bucket ReadBucket(const sqlite::Row& row) {
  return {.budget = row.Text(0),
          .window_start = row.Time(1),
          .posted = row.Int64(2),
          .reserved = row.Int64(3),
          .overage = row.Int64(4),
          .seeded = row.Int64(5),
          .warned = row.Int(6),
          .frozen = row.Bool(7)};
}

absl::StatusOr<Reservation> ReadReservation(const sqlite::Row& row) {
  Reservation reservation = {.order = {.key = row.Text(1),
                                       .kind = static_cast<ReservationKind>(row.Int(2)),
                                       .scopes = ReadScopes(row, 4),
                                       .amounts = ReadAmounts(row, 15),
                                       .minimum = ReadAmounts(row, 18),
                                       .envelope = row.Text(9),
                                       .lifetime = absl::Microseconds(row.Int64(14)),
                                       .owner = row.Text(10),
                                       .provider = row.Text(11),
                                       .model = row.Text(12),
                                       .service_tier = row.Text(13),
                                       .owner_epoch = row.Int64(32)},
                             .state = static_cast<ReservationState>(row.Int(3)),
                             .held = ReadAmounts(row, 21),
                             .settled = ReadAmounts(row, 24),
                             .charge_time = row.Time(27),
                             .expire_time = row.Time(28),
                             .end_digest = row.Text(30),
                             .drawing = row.Bool(31)};
  ASSIGN_OR_RETURN(reservation.legs, DecodeLegs(row.Text(33)));
  const std::string denial = row.Text(29);
  if (!denial.empty()) {
    ASSIGN_OR_RETURN(reservation.denial, DecodeDenial(denial));
  }
  return reservation;
}

std::string EncodeLegs(const std::vector<Leg>& legs) {
  std::string text = "[";
  for (const Leg& leg : legs) {
    absl::StrAppend(&text, text.size() > 1 ? ",[\"" : "[\"", leg.budget, "\",",
                    absl::ToUnixMicros(leg.window_start), ",", static_cast<int>(leg.metric));
    absl::StrAppend(&text, ",", leg.amount, ",", leg.posted, "]");
  }
  text.push_back(']');
  return text;
}

absl::StatusOr<std::vector<Leg>> DecodeLegs(const std::string& text) {
  std::vector<Leg> legs;
  try {
    for (const nlohmann::json& leg : nlohmann::json::parse(text)) {
      legs.push_back({.budget = leg.at(0).get<std::string>(),
                      .window_start = absl::FromUnixMicros(leg.at(1).get<int64_t>()),
                      .metric = static_cast<Metric>(leg.at(2).get<int>()),
                      .amount = leg.at(3).get<int64_t>(),
                      .posted = leg.at(4).get<int64_t>()});
    }
  } catch (const nlohmann::json::exception& exception) {
    return base::Error(absl::StatusCode::kInternal, "STORED_FORM_INVALID", exception.what());
  }
  return legs;
}

UsageRecord ReadUsage(const sqlite::Row& row) {
  return {.reservation = row.Text(1),
          .record_time = row.Time(2),
          .charge_time = row.Time(3),
          .scopes = ReadScopes(row, 4),
          .provider = row.Text(9),
          .model = row.Text(10),
          .service_tier = row.Text(11),
          .tokens = {.input = row.Int64(12),
                     .cache_read = row.Int64(13),
                     .cache_write = row.Int64(14),
                     .cache_write_long = row.Int64(15),
                     .output = row.Int64(16),
                     .reasoning = row.Int64(17),
                     .searches = row.Int64(18)},
          .charged = ReadAmounts(row, 19),
          .first_cost = row.Int64(22),
          .basis = static_cast<Basis>(row.Int(23)),
          .provider_request_id = row.Text(24),
          .price = row.Int64(25)};
}

Price ReadPrice(const sqlite::Row& row) {
  return {.id = row.Int64(0),
          .provider = row.Text(1),
          .model = row.Text(2),
          .service_tier = row.Text(3),
          .effective_time = row.Time(4),
          .context_threshold_tokens = row.Int64(5),
          .input_pico_usd = row.Int64(6),
          .cache_read_pico_usd = row.Int64(7),
          .cache_write_pico_usd = row.Int64(8),
          .cache_write_long_pico_usd = row.Int64(9),
          .output_pico_usd = row.Int64(10),
          .search_usd_nanos = row.Int64(11),
          .source = row.Text(12)};
}

FrozenScope ReadFrozenScope(const sqlite::Row& row) {
  return {.scope = row.Text(0),
          .reason = row.Text(1),
          .actor = row.Text(2),
          .freeze_time = row.Time(3)};
}

JournalEntry ReadJournalEntry(const sqlite::Row& row) {
  return {.sequence = row.Int64(0),
          .time = row.Time(1),
          .operation = row.Text(2),
          .key = row.Text(3),
          .body = row.Text(4),
          .digest = row.Text(5)};
}

}  // namespace slipway::ledger
