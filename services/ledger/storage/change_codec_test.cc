#include "services/ledger/storage/change_codec.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/testkit/matchers.h"

namespace slipway::ledger {
namespace {

using testkit::FailsWithReason;

absl::Time At(int64_t micros) { return absl::FromUnixMicros(micros); }

// Every field of every struct, each with a value of its own.
UsageRecord Usage(int n) {
  return {.reservation = absl::StrCat("r", n),
          .record_time = At(n + 1),
          .charge_time = At(n + 2),
          .scopes = {"project", "plan", "task", "attempt", "role"},
          .provider = "provider",
          .model = "model",
          .service_tier = "tier",
          .tokens = {n + 3, n + 4, n + 5, n + 6, n + 7, n + 8, n + 9},
          .charged = {n + 10, n + 11, n + 12},
          .first_cost = n + 13,
          .basis = Basis::kReconciled,
          .provider_request_id = "request",
          .price = n + 14};
}

Reservation Held(int n) {
  Budget budget = {.id = "b1",
                   .scope = "projects/p",
                   .path = {"projects/p", "1", "2", "3", "4"},
                   .metric = Metric::kRequests,
                   .window = Window::kMonth,
                   .time_zone = "Australia/Lord_Howe",
                   .limit = n + 1,
                   .version = n + 2,
                   .frozen = true,
                   .warn_percents = {50, 90},
                   .since = At(n + 3)};
  Bucket bucket = {"b2", At(n + 4), n + 5, n + 6, n + 7, n + 8, 80, true, n + 9};
  return {.order = {.key = absl::StrCat("k", n),
                    .kind = ReservationKind::kEnvelope,
                    .scopes = {"project", "plan", "task", "attempt", "role"},
                    .amounts = {n + 10, n + 11, n + 12},
                    .minimum = {n + 13, n + 14, n + 15},
                    .envelope = "envelope",
                    .lifetime = absl::Microseconds(n + 16),
                    .owner = "owner",
                    .provider = "provider",
                    .model = "model",
                    .service_tier = "tier",
                    .owner_epoch = n + 17},
          .state = ReservationState::kSettledLate,
          .held = {n + 18, n + 19, n + 20},
          .settled = {n + 21, n + 22, n + 23},
          .charge_time = At(n + 24),
          .expire_time = At(n + 25),
          .denial = Denial{.cause = DenialCause::kNoPrice,
                           .balance = Balance{budget, bucket, absl::InfinitePast()},
                           .requested = n + 26,
                           .retry_time = At(n + 27),
                           .frozen_scope = "frozen"},
          .legs = {{"b3", At(n + 28), Metric::kTokens, n + 29, n + 30},
                   {"b4", At(-n), Metric::kUsdNanos, INT64_MAX, INT64_MIN}},
          .end_digest = "digest",
          .drawing = true,
          .open_calls = {n + 31, n + 32, n + 33}};
}

Changes Everything() {
  Changes changes = {.added = {Held(100), {}},
                     .updated = {Held(200)},
                     .buckets = {{"b5", At(1), 2, 3, 4, 5, 6, true, 7}},
                     .budgets = {Held(300).denial->balance->budget},
                     .usage_added = {Usage(400)},
                     .usage_updated = {Usage(500)},
                     .rollups = {{Usage(600), 1, {2, 3, 4, 5, 6, 7, 8}, 9, 10, {11, 12, 13}}},
                     .adjustments = {{"a", "r", At(14), -15, "evidence"}},
                     .replies = {{"id", "digest", "body"}},
                     .owners = {{"owner", 16}},
                     .frozen = {{"scope", "reason", "actor", At(17)}},
                     .unfrozen = {"warm"},
                     .journal = {{18, At(19), "reserve", "key", "{}", "sum"}},
                     .events = {{"kind", "project", "plan", "task", "attempt", "payload"}},
                     .time = absl::InfiniteFuture()};
  changes.prices = {
      {20, "provider", "model", "tier", At(21), 22, 23, 24, 25, 26, 27, 28, "source"}};
  return changes;
}

std::string Text(const Amounts& a) {
  return absl::StrCat(a.usd_nanos, "/", a.tokens, "/", a.requests);
}
std::string Text(absl::Time t) {
  return absl::FormatTime(absl::RFC3339_full, t, absl::UTCTimeZone());
}
std::string Text(const ScopePath& s) {
  return absl::StrJoin({s.project, s.plan, s.task, s.attempt, s.role}, ";");
}
std::string Text(const TokenCounts& t) {
  return absl::StrJoin(
      {t.input, t.cache_read, t.cache_write, t.cache_write_long, t.output, t.reasoning, t.searches},
      ";");
}
std::string Text(const Bucket& b) {
  return absl::StrCat(b.budget, Text(b.window_start), " ", b.posted, " ", b.reserved, " ",
                      b.overage, " ") +
         absl::StrCat(b.seeded, " ", b.warned, " ", b.frozen, " ", b.unrecorded_seed);
}
std::string Text(const Budget& b) {
  return absl::StrCat(b.id, " ", b.scope, " ", Text(b.path), " ", static_cast<int>(b.metric), " ",
                      static_cast<int>(b.window), " ", b.time_zone) +
         absl::StrCat(" ", b.zone.name(), " ", b.limit.value_or(-1), " ", b.version, " ", b.frozen,
                      " ", absl::StrJoin(b.warn_percents, ","), " ", Text(b.since));
}
std::string Text(const UsageRecord& u) {
  return absl::StrCat(u.reservation, " ", Text(u.record_time), Text(u.charge_time), Text(u.scopes),
                      u.provider, " ") +
         absl::StrCat(u.model, " ", u.service_tier, Text(u.tokens), " ", Text(u.charged), " ") +
         absl::StrCat(u.first_cost, " ", static_cast<int>(u.basis), u.provider_request_id, u.price);
}
std::string Text(const Reservation& r) {
  const ReserveOrder& o = r.order;
  std::string text = absl::StrCat(o.key, " ", static_cast<int>(o.kind), Text(o.scopes),
                                  Text(o.amounts), Text(o.minimum), o.envelope);
  absl::StrAppend(&text, absl::FormatDuration(o.lifetime), o.owner, o.provider, o.model);
  absl::StrAppend(&text, o.service_tier, o.owner_epoch, " ", static_cast<int>(r.state));
  absl::StrAppend(&text, Text(r.held), Text(r.settled), Text(r.charge_time), Text(r.expire_time));
  absl::StrAppend(&text, r.end_digest, r.drawing, Text(r.open_calls));
  for (const Leg& l : r.legs) {
    absl::StrAppend(&text, l.budget, Text(l.window_start), static_cast<int>(l.metric), l.amount);
    absl::StrAppend(&text, " ", l.posted);
  }
  if (!r.denial.has_value()) return text;
  const Denial& d = *r.denial;
  absl::StrAppend(&text, static_cast<int>(d.cause), " ", d.requested, Text(*d.retry_time));
  absl::StrAppend(&text, d.frozen_scope, Text(d.balance->budget), Text(d.balance->bucket));
  return text + Text(d.balance->as_of);
}

TEST(ChangeCodec, KeepsEveryField) {
  Changes before = Everything();
  for (Budget* budget : {&before.budgets[0], &before.added[0].denial->balance->budget,
                         &before.updated[0].denial->balance->budget}) {
    budget->zone = *FindTimeZone(budget->time_zone);
  }
  std::string bytes;
  AppendChanges(before, bytes);
  absl::string_view rest = bytes;

  ASSERT_OK_AND_ASSIGN(const Changes after, TakeChanges(rest));

  EXPECT_TRUE(rest.empty());
  for (size_t i = 0; i < before.added.size(); ++i) {
    EXPECT_EQ(Text(after.added[i]), Text(before.added[i]));
  }
  EXPECT_EQ(Text(after.updated.at(0)), Text(before.updated[0]));
  EXPECT_EQ(Text(after.buckets.at(0)), Text(before.buckets[0]));
  EXPECT_EQ(Text(after.budgets.at(0)), Text(before.budgets[0]));
  EXPECT_EQ(Text(after.usage_added.at(0)), Text(before.usage_added[0]));
  EXPECT_EQ(Text(after.usage_updated.at(0)), Text(before.usage_updated[0]));
  const RollupChange& rollup = after.rollups.at(0);
  EXPECT_EQ(Text(rollup.record), Text(before.rollups[0].record));
  EXPECT_EQ(absl::StrCat(rollup.calls, " ", Text(rollup.tokens), " ", rollup.cost_usd_nanos, " ") +
                absl::StrCat(rollup.estimated_usd_nanos, " ", Text(rollup.charged)),
            "1 2;3;4;5;6;7;8 9 10 11/12/13");
  const Adjustment& a = after.adjustments.at(0);
  EXPECT_EQ(absl::StrCat(a.key, a.reservation, Text(a.time), a.delta_usd_nanos, a.evidence),
            absl::StrCat("ar", Text(At(14)), "-15evidence"));
  const Price& p = after.prices.at(0);
  EXPECT_EQ(absl::StrJoin({p.id, p.context_threshold_tokens, p.input_pico_usd,
                           p.cache_read_pico_usd, p.cache_write_pico_usd,
                           p.cache_write_long_pico_usd, p.output_pico_usd, p.search_usd_nanos},
                          " "),
            "20 22 23 24 25 26 27 28");
  EXPECT_EQ(absl::StrCat(p.provider, p.model, p.service_tier, Text(p.effective_time), p.source),
            absl::StrCat("providermodeltier", Text(At(21)), "source"));
  const StoredReply& reply = after.replies.at(0);
  EXPECT_EQ(absl::StrCat(reply.request_id, reply.digest, reply.body), "iddigestbody");
  EXPECT_EQ(absl::StrCat(after.owners.at(0).owner, after.owners[0].epoch), "owner16");
  const FrozenScope& f = after.frozen.at(0);
  EXPECT_EQ(absl::StrCat(f.scope, f.reason, f.actor, Text(f.freeze_time)),
            absl::StrCat("scopereasonactor", Text(At(17))));
  EXPECT_EQ(after.unfrozen, before.unfrozen);
  const JournalEntry& e = after.journal.at(0);
  EXPECT_EQ(absl::StrCat(e.sequence, Text(e.time), e.operation, e.key, e.body, e.digest),
            absl::StrCat(18, Text(At(19)), "reservekey{}sum"));
  EXPECT_EQ(after.events, before.events);
  EXPECT_EQ(after.time, absl::InfiniteFuture());
}

TEST(ChangeCodec, TellsEveryPrefixFromAWhole) {
  std::string bytes;
  AppendChanges(Everything(), bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    absl::string_view part = absl::string_view(bytes).substr(0, size);
    EXPECT_THAT(TakeChanges(part), FailsWithReason("STORED_FORM_INVALID")) << size;
  }
}

}  // namespace
}  // namespace slipway::ledger
