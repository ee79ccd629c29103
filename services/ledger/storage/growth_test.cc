// Holds that grow, scopes that freeze, owners that die, and when to ask again.
#include <limits>

#include "absl/strings/str_cat.h"
#include "services/ledger/storage/ledger_fixture.h"

namespace slipway::ledger {
namespace {

using ::testing::Field;
using testkit::FailsWithReason;
using testkit::IsOkAndHolds;

class GrowthTest : public LedgerFixture {
 protected:
  static constexpr char kProject[] = "projects/p";

  int64_t ReservedIn(const std::string& scope) { return BalanceOf(scope).bucket.reserved; }

  static ReserveOrder EnvelopeOf(int64_t usd) {
    ReserveOrder order = CallFor("e", usd);
    order.kind = ReservationKind::kEnvelope;
    order.amounts.requests = order.minimum.requests = 0;
    return order;
  }

  static TopUpOrder More(const std::string& key, const std::string& reservation, int64_t usd) {
    return {.key = key, .reservation = reservation, .amounts = {.usd_nanos = usd}};
  }

  static ReserveOrder OfEpoch(const std::string& key, int64_t epoch) {
    ReserveOrder order = CallFor(key, 10);
    order.owner_epoch = epoch;
    return order;
  }
};

TEST_F(GrowthTest, TopUpHoldsTheDeltaOnEveryBudget) {
  ASSERT_OK(SetLimit(kOrganisation, 1'000));
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Reserve(CallFor("k", 60)));

  ASSERT_OK_AND_ASSIGN(const struct TopUp grown, TopUp(More("t1", "k", 40)));

  EXPECT_FALSE(grown.denial.has_value());
  EXPECT_EQ(grown.reservation.held.usd_nanos, 100);
  EXPECT_EQ(ReservedIn(kProject), 100);
  EXPECT_EQ(ReservedIn(kOrganisation), 100);
  Open();
  ASSERT_OK(SettleFor("k", 90));
  EXPECT_EQ(BalanceOf(kProject).bucket.overage, 0);
  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 90);
  ExpectAuditIsClean();
}

TEST_F(GrowthTest, RefusedTopUpChangesNothingAndIsRefusedAgain) {
  ASSERT_OK(SetLimit(kOrganisation, 1'000));
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Reserve(CallFor("k", 60)));

  ASSERT_OK_AND_ASSIGN(const struct TopUp refused, TopUp(More("t1", "k", 41)));
  ASSERT_TRUE(refused.denial.has_value());
  EXPECT_EQ(refused.denial->cause, DenialCause::kHeldBySiblings);
  EXPECT_EQ(refused.denial->balance->budget.scope, kProject);
  EXPECT_EQ(ReservedIn(kOrganisation), 60);

  ASSERT_OK(SetLimit(kProject, 1'000));
  ASSERT_OK_AND_ASSIGN(const struct TopUp again, TopUp(More("t1", "k", 41)));
  EXPECT_TRUE(again.denial.has_value());
  ASSERT_OK_AND_ASSIGN(const struct TopUp other, TopUp(More("t2", "k", 41)));
  EXPECT_FALSE(other.denial.has_value());
  ExpectAuditIsClean();
}

TEST_F(GrowthTest, RepeatedTopUpHoldsOnce) {
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Reserve(CallFor("k", 10)));
  ASSERT_OK(TopUp(More("t1", "k", 20)));
  Open();
  ASSERT_OK(TopUp(More("t1", "k", 20)));
  EXPECT_EQ(ReservedIn(kProject), 30);
  EXPECT_THAT(TopUp(More("t1", "k", 21)), FailsWithReason("KEY_REUSED"));
  ASSERT_OK(SettleFor("k", 5));
  ASSERT_OK_AND_ASSIGN(const struct TopUp late, TopUp(More("t1", "k", 20)));
  EXPECT_EQ(late.reservation.state, ReservationState::kSettled);
  EXPECT_THAT(TopUp(More("t2", "k", 1)), FailsWithReason("RESERVATION_CLOSED"));
  ExpectAuditIsClean();
}

TEST_F(GrowthTest, TopUpOfACallComesOutOfItsEnvelope) {
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Reserve(EnvelopeOf(50)));
  ReserveOrder call = CallFor("c", 20);
  call.envelope = "e";
  ASSERT_OK(Reserve(call));

  ASSERT_OK_AND_ASSIGN(const struct TopUp inside, TopUp(More("t1", "c", 30)));
  EXPECT_FALSE(inside.denial.has_value());
  EXPECT_EQ(ReservedIn(kProject), 50);
  ASSERT_OK_AND_ASSIGN(const struct TopUp beyond, TopUp(More("t2", "c", 1)));
  EXPECT_EQ(beyond.denial->cause, DenialCause::kHeldBySiblings);

  ASSERT_OK(TopUp(More("t3", "e", 25)));
  EXPECT_EQ(ReservedIn(kProject), 75);
  EXPECT_OK(TopUp(More("t4", "c", 25)));
  EXPECT_THAT(TopUp({.key = "t5", .reservation = "e", .amounts = {.tokens = 1}}),
              FailsWithReason("FIELD_INVALID"));
  Open();
  ASSERT_OK(SettleFor("c", 75));
  ASSERT_OK(Settle({.key = "e"}));
  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 75);
  EXPECT_EQ(ReservedIn(kProject), 0);
  ExpectAuditIsClean();
}

TEST_F(GrowthTest, TopUpsOutOfRangeAreRefused) {
  ASSERT_OK(Reserve(CallFor("k", 10)));
  EXPECT_THAT(TopUp(More("", "k", 1)), FailsWithReason("KEY_INVALID"));
  EXPECT_THAT(TopUp(More("t", "k", 0)), FailsWithReason("FIELD_INVALID"));
  EXPECT_THAT(TopUp(More("t", "k", -1)), FailsWithReason("AMOUNT_INVALID"));
  EXPECT_THAT(TopUp(More("t", "k", std::numeric_limits<int64_t>::max())),
              FailsWithReason("AMOUNT_INVALID"));
  EXPECT_THAT(TopUp(More("t", "unknown", 1)), FailsWithReason("RESERVATION_UNKNOWN"));
  ExpectAuditIsClean();
}

TEST_F(GrowthTest, FrozenScopeAdmitsNothingBelowItUntilItGoesOn) {
  ASSERT_OK(Reserve(CallFor("before", 10)));
  ASSERT_OK_AND_ASSIGN(const std::optional<FrozenScope> frozen, Freeze(kProject, true));
  EXPECT_EQ(frozen->actor, "ada");
  Open();

  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(CallFor("k", 10)));
  EXPECT_EQ(denied.denial->cause, DenialCause::kFrozen);
  EXPECT_EQ(denied.denial->frozen_scope, kProject);
  EXPECT_FALSE(denied.denial->retry_time.has_value());
  ASSERT_OK_AND_ASSIGN(const struct TopUp top_up, TopUp(More("t", "before", 1)));
  EXPECT_EQ(top_up.denial->cause, DenialCause::kFrozen);
  EXPECT_OK(SettleFor("before", 9));  // What is under way ends as it would.
  ReserveOrder elsewhere = CallFor("q", 10);
  elsewhere.scopes = {.project = "projects/q"};
  EXPECT_THAT(Reserve(elsewhere),
              IsOkAndHolds(Field(&Reservation::state, ReservationState::kHeld)));

  ASSERT_OK_AND_ASSIGN(const std::optional<FrozenScope> thawed, Freeze(kProject, false));
  EXPECT_FALSE(thawed.has_value());
  EXPECT_OK(Freeze(kProject, false));
  EXPECT_THAT(Reserve(CallFor("after", 10)),
              IsOkAndHolds(Field(&Reservation::state, ReservationState::kHeld)));
  ExpectAuditIsClean();
}

TEST_F(GrowthTest, RolesAndAttemptsFreezeForThemselves) {
  ASSERT_OK(Freeze("projects/p/roles/critic", true));
  EXPECT_THAT(Reserve(CallFor("builder", 1)),
              IsOkAndHolds(Field(&Reservation::state, ReservationState::kHeld)));
  ReserveOrder critic = CallFor("critic", 1);
  critic.scopes.role = "critic";
  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(critic));
  EXPECT_EQ(denied.denial->frozen_scope, "projects/p/roles/critic");
  EXPECT_THAT(Freeze("projects/p/plans", true), FailsWithReason("SCOPE_INVALID"));
  EXPECT_THAT(Freeze("", true), FailsWithReason("SCOPE_INVALID"));
}

TEST_F(GrowthTest, FreezesAreToldAsEvents) {
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Freeze(kProject, true));
  ASSERT_OK(Reserve(CallFor("k", 50)));
  ASSERT_OK(Freeze(kProject, false));
  ASSERT_OK(Reserve(CallFor("k2", 50)));
  ASSERT_OK(SettleFor("k2", 130));  // Over the limit: the budget freezes by itself.
  ASSERT_OK(SetLimit(kProject, 1'000));
  ASSERT_OK_AND_ASSIGN(const events::Page page,
                       store_->events().ReadAfter(0, {.kinds = {"budget.frozen"}}, 100));
  ASSERT_EQ(page.events.size(), 4u);
  const auto text = [&](size_t i) { return page.events[i].draft.payload_json; };
  EXPECT_THAT(text(0), ::testing::HasSubstr("\"frozen\":true"));
  EXPECT_THAT(text(0), ::testing::HasSubstr("\"reason\":\"why\""));
  EXPECT_THAT(text(1), ::testing::HasSubstr("\"frozen\":false"));
  EXPECT_THAT(text(2), ::testing::HasSubstr("\"budget\":\"budgets/"));
  EXPECT_THAT(text(3), ::testing::HasSubstr("\"frozen\":false"));
}

TEST_F(GrowthTest, ClosingEarlierEpochsChargesAndFencesThem) {
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Reserve(OfEpoch("old", 1)));
  ASSERT_OK(Reserve(OfEpoch("new", 2)));

  ASSERT_OK_AND_ASSIGN(const Closing closing, CloseOwner("models-1", 2));

  EXPECT_EQ(closing.closed, 1);
  EXPECT_EQ(closing.charged_usd_nanos, 10);
  EXPECT_EQ(ReservedIn(kProject), 10);
  EXPECT_THAT(Reserve(OfEpoch("zombie", 1)), FailsWithReason("OWNER_FENCED"));
  ASSERT_OK_AND_ASSIGN(const Reservation known, Reserve(OfEpoch("old", 1)));  // A repeat, not new.
  EXPECT_EQ(known.state, ReservationState::kExpiredCharged);
  EXPECT_OK(SettleFor("old", 4));  // Reconciled after all.
  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 4);
  ExpectAuditIsClean();
}

TEST_F(GrowthTest, FencesHoldBeforeAnyHoldAndAfterARestart) {
  ASSERT_OK(CloseOwner("models-1", 3));
  Open();
  EXPECT_THAT(Reserve(OfEpoch("k", 2)), FailsWithReason("OWNER_FENCED"));
  EXPECT_OK(Reserve(OfEpoch("k", 3)));
  EXPECT_OK(Reserve(OfEpoch("k4", 4)));  // Raises it.
  EXPECT_THAT(Reserve(OfEpoch("k3", 3)), FailsWithReason("OWNER_FENCED"));
  ReserveOrder negative = OfEpoch("n", -1);
  EXPECT_THAT(Reserve(negative), FailsWithReason("FIELD_INVALID"));
  ASSERT_OK_AND_ASSIGN(
      const Page<Reservation> page,
      store_->ListReservations({.owner = "models-1", .owner_epoch_before = 4}, {}));
  ASSERT_EQ(page.items.size(), 1u);
  EXPECT_EQ(page.items[0].key(), "k");
}

TEST_F(GrowthTest, SiblingsAreWorthWaitingForUntilTheFirstExpires) {
  ASSERT_OK(SetLimit(kProject, 100));
  ReserveOrder first = CallFor("first", 40);
  first.lifetime = absl::Minutes(7);
  ASSERT_OK(Reserve(CallFor("second", 40)));  // Ten minutes.
  ASSERT_OK(Reserve(first));
  ReserveOrder elsewhere = CallFor("elsewhere", 40);
  elsewhere.scopes = {.project = "projects/q"};
  elsewhere.lifetime = absl::Minutes(1);
  ASSERT_OK(Reserve(elsewhere));

  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(CallFor("k", 30)));

  EXPECT_EQ(denied.denial->cause, DenialCause::kHeldBySiblings);
  EXPECT_EQ(denied.denial->retry_time, clock_.Now() + absl::Minutes(7));
}

TEST_F(GrowthTest, MonthBeginsInTheZoneOfItsBudget) {
  // 2026-10-31T23:30:00Z is in November already in Berlin, in October in New York.
  clock_.Advance(absl::FromUnixSeconds(1'793'489'400) - clock_.Now());
  for (const auto& [scope, zone] :
       {std::pair{"projects/p", "Europe/Berlin"}, std::pair{"projects/q", "America/New_York"}}) {
    ASSERT_OK(SetBudget({.scope = scope, .window = Window::kMonth, .time_zone = zone, .limit = 5}));
    ReserveOrder spend = CallFor(absl::StrCat(scope, "-spend"), 5);
    spend.scopes = {.project = scope};
    ASSERT_OK(Reserve(spend));
    ASSERT_OK(SettleFor(spend.key, 5));
    spend.key = absl::StrCat(scope, "-more");
    ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(spend));
    absl::TimeZone where;
    ASSERT_TRUE(absl::LoadTimeZone(zone, &where));
    const absl::CivilMonth month = scope == std::string("projects/p") ? absl::CivilMonth(2026, 12)
                                                                      : absl::CivilMonth(2026, 11);
    EXPECT_EQ(denied.denial->retry_time, absl::FromCivil(month, where)) << scope;
  }
}

TEST_F(GrowthTest, ScopesAreATreeByNameSoThatNoCycleCanBeTold) {
  ReserveOrder order = CallFor("k", 1);
  for (const ScopePath& path :
       {ScopePath{.project = "projects/a", .plan = "projects/b/plans/x"},
        ScopePath{.plan = "projects/a/plans/x", .task = "projects/a/plans/y/tasks/t"},
        ScopePath{.plan = "projects/a/plans/x/projects/a"},
        ScopePath{.project = "projects/a/plans/x/projects/a"}}) {
    order.scopes = path;
    EXPECT_THAT(Reserve(order), FailsWithReason("SCOPE_INVALID"));
  }
}

TEST_F(GrowthTest, HoldsThatNoBudgetCanCountAreNotAttached) {
  // Far from real money; the sum of more would not fit an integer.
  for (int i = 0; i < 4'700; ++i) {
    store_->Reserve(
        CallFor(absl::StrCat("k", i), 1'000'000'000'000'000),
        base::Reply<Reservation>([](absl::StatusOr<Reservation> held) { ASSERT_OK(held); }));
    if (i % 1'000 == 0) {
      ASSERT_OK(Reserve(CallFor("again", 1)));  // Waits for those before.
    }
  }
  const absl::Status refused = SetLimit(kProject, 1).status();
  EXPECT_THAT(refused, FailsWithReason("AMOUNT_INVALID"));
  EXPECT_THAT(refused.message(), ::testing::HasSubstr("settle or release some of them first"));
  EXPECT_OK(SetLimit(kProject, 1, Metric::kRequests));
  ExpectAuditIsClean();
}

TEST_F(GrowthTest, BudgetTellsItsDaysAndWhereItIsHeading) {
  ASSERT_OK_AND_ASSIGN(const Balance set, SetLimit(kProject, 1'000));
  for (int day = 0; day < 3; ++day) {
    const std::string key = absl::StrCat("k", day);
    ASSERT_OK(Reserve(CallFor(key, 100)));
    ASSERT_OK(SettleFor(key, 10 + day));
    clock_.Advance(absl::Hours(24));
  }
  ASSERT_OK_AND_ASSIGN(const BudgetHistory history, store_->GetBudget(set.budget.id));
  ASSERT_EQ(history.days.size(), 3u);
  EXPECT_EQ(history.days[0].spent, 10);
  EXPECT_EQ(history.days[2].spent, 12);
  EXPECT_EQ(history.days[1].day - history.days[0].day, absl::Hours(24));
  EXPECT_EQ(history.balance.bucket.posted, 33);
  EXPECT_THAT(store_->GetBudget("nothing"), FailsWithReason("BUDGET_UNKNOWN"));
}

}  // namespace
}  // namespace slipway::ledger
