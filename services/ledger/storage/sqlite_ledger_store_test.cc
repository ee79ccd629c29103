#include "services/ledger/storage/sqlite_ledger_store.h"

#include <atomic>
#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"
#include "services/ledger/storage/ledger_fixture.h"

namespace slipway::ledger {
namespace {

using ::testing::Field;
using testkit::FailsWithReason;
using testkit::IsOkAndHolds;

constexpr char kProject[] = "projects/p";
constexpr char kPlan[] = "projects/p/plans/a";

class SqliteLedgerStoreTest : public LedgerFixture {};

TEST_F(SqliteLedgerStoreTest, HoldsOnEveryCoveringBudget) {
  ASSERT_OK(SetLimit(kOrganisation, 1'000));
  ASSERT_OK(SetLimit(kProject, 500));
  ASSERT_OK(SetLimit("projects/p/roles/builder", 400));

  ASSERT_OK_AND_ASSIGN(const Reservation held, Reserve(CallFor("k1", 100)));

  EXPECT_EQ(held.state, ReservationState::kHeld);
  EXPECT_EQ(BalanceOf(kOrganisation).bucket.reserved, 100);
  EXPECT_EQ(BalanceOf(kProject).bucket.reserved, 100);
  EXPECT_EQ(BalanceOf("projects/p/roles/builder").bucket.reserved, 100);
  ExpectAuditIsClean();
}

TEST_F(SqliteLedgerStoreTest, HoldsNothingWhenOneBudgetRefuses) {
  ASSERT_OK(SetLimit(kOrganisation, 1'000));
  ASSERT_OK(SetLimit(kPlan, 50));

  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(CallFor("k1", 100)));

  EXPECT_EQ(denied.state, ReservationState::kDenied);
  EXPECT_EQ(denied.denial->cause, DenialCause::kNeverFits);
  EXPECT_EQ(denied.denial->balance->budget.scope, kPlan);
  EXPECT_EQ(BalanceOf(kOrganisation).bucket.reserved, 0);
}

TEST_F(SqliteLedgerStoreTest, TellsSpentMoneyFromMoneyThatSiblingsHold) {
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Reserve(CallFor("k1", 80)));

  ASSERT_OK_AND_ASSIGN(const Reservation siblings, Reserve(CallFor("k2", 50)));
  EXPECT_EQ(siblings.denial->cause, DenialCause::kHeldBySiblings);
  EXPECT_TRUE(siblings.denial->retry_time.has_value());

  ASSERT_OK(SettleFor("k1", 80));
  ASSERT_OK_AND_ASSIGN(const Reservation spent, Reserve(CallFor("k3", 50)));
  EXPECT_EQ(spent.denial->cause, DenialCause::kLimit);
  EXPECT_FALSE(spent.denial->retry_time.has_value());
}

TEST_F(SqliteLedgerStoreTest, LimitOfAWindowNamesItsEnd) {
  ASSERT_OK(SetBudget(
      {.scope = kProject, .window = Window::kDay, .time_zone = "Europe/Berlin", .limit = 100}));
  ASSERT_OK(Reserve(CallFor("k1", 100)));
  ASSERT_OK(SettleFor("k1", 100));

  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(CallFor("k2", 1)));

  ASSERT_TRUE(denied.denial->retry_time.has_value());
  clock_.Advance(*denied.denial->retry_time - clock_.Now());
  EXPECT_THAT(Reserve(CallFor("k3", 100)),
              IsOkAndHolds(Field(&Reservation::state, ReservationState::kHeld)));
  ExpectAuditIsClean();
}

TEST_F(SqliteLedgerStoreTest, ZeroLimitAdmitsNothing) {
  ASSERT_OK(SetLimit(kOrganisation, 0));
  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(CallFor("k1", 0)));
  EXPECT_EQ(denied.denial->cause, DenialCause::kLimit);
}

TEST_F(SqliteLedgerStoreTest, GrantsLessDownToTheMinimum) {
  ASSERT_OK(SetLimit(kProject, 70));
  ReserveOrder order = CallFor("k1", 100);
  order.minimum.usd_nanos = 60;

  ASSERT_OK_AND_ASSIGN(const Reservation held, Reserve(order));

  EXPECT_EQ(held.held.usd_nanos, 70);
}

TEST_F(SqliteLedgerStoreTest, DenialIsAnsweredAgainWhateverHasChanged) {
  ASSERT_OK(SetLimit(kProject, 50));
  ASSERT_OK(Reserve(CallFor("k1", 100)));
  ASSERT_OK(SetLimit(kProject, 1'000));
  Open();

  ASSERT_OK_AND_ASSIGN(const Reservation again, Reserve(CallFor("k1", 100)));

  EXPECT_EQ(again.state, ReservationState::kDenied);
  EXPECT_EQ(again.denial->balance->budget.limit, 50);
}

TEST_F(SqliteLedgerStoreTest, SameKeyWithAnotherBodyIsRefusedByFieldName) {
  ASSERT_OK(Reserve(CallFor("k1", 100)));
  const absl::StatusOr<Reservation> reused = Reserve(CallFor("k1", 101));
  EXPECT_THAT(reused, FailsWithReason("KEY_REUSED"));
  EXPECT_EQ(base::DetailOf(reused.status())->metadata.at("fields"), "amounts,minimum");
}

TEST_F(SqliteLedgerStoreTest, AmountsOutOfRangeAreRefused) {
  for (const int64_t amount : {int64_t{-1}, std::numeric_limits<int64_t>::max()}) {
    EXPECT_THAT(Reserve(CallFor("k", amount)), FailsWithReason("AMOUNT_INVALID"));
    EXPECT_THAT(SetLimit(kProject, -1), FailsWithReason("AMOUNT_INVALID"));
  }
  EXPECT_OK(SetLimit(kProject, std::numeric_limits<int64_t>::max()));
  EXPECT_OK(Reserve(CallFor("zero", 0)));
  EXPECT_THAT(SettleFor("zero", -1), FailsWithReason("AMOUNT_INVALID"));
  EXPECT_THAT(SettleFor("zero", std::numeric_limits<int64_t>::max()),
              FailsWithReason("AMOUNT_INVALID"));
  ExpectAuditIsClean();
}

TEST_F(SqliteLedgerStoreTest, SettleReturnsTheRestAndItsRepeatTheFirstResult) {
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Reserve(CallFor("k1", 80)));
  ASSERT_OK(SettleFor("k1", 30));
  ASSERT_OK_AND_ASSIGN(const Settlement again, SettleFor("k1", 30));

  EXPECT_EQ(again.reservation.settled.usd_nanos, 30);
  EXPECT_EQ(again.usage->charged.usd_nanos, 30);
  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 30);
  EXPECT_EQ(BalanceOf(kProject).bucket.reserved, 0);
  EXPECT_THAT(SettleFor("k1", 31), FailsWithReason("RESERVATION_CLOSED"));
  EXPECT_THAT(Release("k1"), FailsWithReason("RESERVATION_CLOSED"));
  EXPECT_THAT(SettleFor("unknown", 1), FailsWithReason("RESERVATION_UNKNOWN"));
}

TEST_F(SqliteLedgerStoreTest, ReleaseChargesNothingAndIsIdempotent) {
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Reserve(CallFor("k1", 80)));
  ASSERT_OK(Release("k1"));
  EXPECT_OK(Release("k1"));
  EXPECT_EQ(BalanceOf(kProject).bucket.reserved, 0);
  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 0);
  EXPECT_THAT(SettleFor("k1", 1), FailsWithReason("RESERVATION_CLOSED"));
}

TEST_F(SqliteLedgerStoreTest, OverrunIsPostedInFullCountedAndFreezes) {
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Reserve(CallFor("k1", 80)));
  ASSERT_OK(SettleFor("k1", 130));

  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 130);
  EXPECT_EQ(BalanceOf(kProject).bucket.overage, 50);
  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(CallFor("k2", 1)));
  EXPECT_EQ(denied.denial->cause, DenialCause::kFrozen);

  ASSERT_OK(SetLimit(kProject, 1'000));
  EXPECT_THAT(Reserve(CallFor("k3", 1)),
              IsOkAndHolds(Field(&Reservation::state, ReservationState::kHeld)));
  ExpectAuditIsClean();
}

TEST_F(SqliteLedgerStoreTest, ExpiredCallIsChargedAndCorrectedByALateSettlement) {
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Reserve(CallFor("k1", 80)));

  AdvanceAndExpire(absl::Minutes(11));

  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 80);
  EXPECT_EQ(BalanceOf(kProject).bucket.reserved, 0);
  ExpectAuditIsClean();
  ASSERT_OK_AND_ASSIGN(const Settlement late, SettleFor("k1", 25));
  EXPECT_EQ(late.reservation.state, ReservationState::kSettledLate);
  EXPECT_EQ(late.usage->basis, Basis::kReconciled);
  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 25);
  EXPECT_OK(SettleFor("k1", 25));
  ExpectAuditIsClean();
}

TEST_F(SqliteLedgerStoreTest, ExtendMovesTheExpiryOnlyAway) {
  ASSERT_OK(Reserve(CallFor("k1", 80)));
  ASSERT_OK(Extend("k1", absl::Hours(1)));
  ASSERT_OK(Extend("k1", absl::Minutes(1)));
  AdvanceAndExpire(absl::Minutes(30));
  EXPECT_OK(SettleFor("k1", 1));
  EXPECT_THAT(Extend("k1", absl::Hours(1)), FailsWithReason("RESERVATION_CLOSED"));
  EXPECT_THAT(Extend("k1", absl::Hours(25)), FailsWithReason("LIFETIME_INVALID"));
}

TEST_F(SqliteLedgerStoreTest, CallsDrawFromTheirEnvelopeAndNeverExceedIt) {
  ASSERT_OK(SetLimit(kProject, 100));
  ReserveOrder envelope = CallFor("e", 90);
  envelope.kind = ReservationKind::kEnvelope;
  envelope.scopes.role.clear();
  envelope.amounts.requests = envelope.minimum.requests = 0;
  ASSERT_OK(Reserve(envelope));
  ReserveOrder call = CallFor("c1", 60);
  call.envelope = "e";
  ASSERT_OK_AND_ASSIGN(const Reservation held, Reserve(call));
  EXPECT_EQ(held.state, ReservationState::kHeld);
  EXPECT_EQ(BalanceOf(kProject).bucket.reserved, 90);

  ReserveOrder second = CallFor("c2", 40);
  second.envelope = "e";
  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(second));
  EXPECT_EQ(denied.denial->cause, DenialCause::kHeldBySiblings);

  ASSERT_OK(SettleFor("c1", 20));
  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 20);
  EXPECT_EQ(BalanceOf(kProject).bucket.reserved, 70);
  ExpectAuditIsClean();

  ASSERT_OK(Settle({.key = "e"}));
  EXPECT_EQ(BalanceOf(kProject).bucket.reserved, 0);
  second.key = "c3";
  EXPECT_THAT(Reserve(second), FailsWithReason("ENVELOPE_CLOSED"));
  ExpectAuditIsClean();
}

TEST_F(SqliteLedgerStoreTest, CallUnderWayKeepsItsPartWhenItsEnvelopeCloses) {
  ASSERT_OK(SetLimit(kProject, 100));
  ReserveOrder envelope = CallFor("e", 90);
  envelope.kind = ReservationKind::kEnvelope;
  ASSERT_OK(Reserve(envelope));
  ReserveOrder call = CallFor("c1", 60);
  call.envelope = "e";
  ASSERT_OK(Reserve(call));

  ASSERT_OK(Release("e"));
  Open();

  EXPECT_EQ(BalanceOf(kProject).bucket.reserved, 60);
  ExpectAuditIsClean();
  ASSERT_OK(SettleFor("c1", 50));
  EXPECT_EQ(BalanceOf(kProject).bucket.reserved, 0);
  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 50);
  ExpectAuditIsClean();
}

TEST_F(SqliteLedgerStoreTest, NewBudgetCountsWhatWasSpentAndIsHeld) {
  ASSERT_OK(Reserve(CallFor("k1", 80)));
  ASSERT_OK(SettleFor("k1", 30));
  ASSERT_OK(Reserve(CallFor("k2", 50)));

  ASSERT_OK(SetLimit(kProject, 100));

  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 30);
  EXPECT_EQ(BalanceOf(kProject).bucket.reserved, 50);
  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(CallFor("k3", 21)));
  EXPECT_EQ(denied.denial->cause, DenialCause::kHeldBySiblings);
  ASSERT_OK(SettleFor("k2", 50));
  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 80);
  ExpectAuditIsClean();
}

TEST_F(SqliteLedgerStoreTest, LimitMayBeLoweredBelowSpend) {
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Reserve(CallFor("k1", 80)));
  ASSERT_OK(SetLimit(kProject, 10));
  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(CallFor("k2", 5)));
  EXPECT_EQ(denied.denial->cause, DenialCause::kHeldBySiblings);
  EXPECT_OK(SettleFor("k1", 80));
  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 80);
  ExpectAuditIsClean();
}

TEST_F(SqliteLedgerStoreTest, BudgetChangesNeedTheVersionThatWasRead) {
  ASSERT_OK_AND_ASSIGN(const Balance first, SetLimit(kProject, 100));
  EXPECT_EQ(first.budget.version, 1);
  EXPECT_THAT(SetBudget({.scope = kProject, .limit = 5, .expected_version = 7}),
              FailsWithReason("VERSION_MISMATCH"));
  EXPECT_THAT(SetBudget({.scope = "projects/p/plans", .limit = 5}),
              FailsWithReason("SCOPE_INVALID"));
  EXPECT_THAT(SetBudget({.scope = kProject, .time_zone = "Mars/Base", .limit = 5}),
              FailsWithReason("TIME_ZONE_UNKNOWN"));
}

TEST_F(SqliteLedgerStoreTest, RepeatedBudgetRequestReturnsTheFirstResult) {
  const BudgetOrder order = {.scope = kProject, .limit = 100, .request_id = "r1"};
  ASSERT_OK(SetBudget(order));
  ASSERT_OK(SetLimit(kProject, 200));
  ASSERT_OK_AND_ASSIGN(const Balance again, SetBudget(order));
  EXPECT_EQ(again.budget.version, 1);
  EXPECT_EQ(BalanceOf(kProject).budget.limit, 200);
}

TEST_F(SqliteLedgerStoreTest, ClosingAnOwnerChargesItsCalls) {
  ASSERT_OK(SetLimit(kProject, 100'000));
  for (int i = 0; i < 600; ++i) ASSERT_OK(Reserve(CallFor(absl::StrCat("k", i), 10)));
  ReserveOrder other = CallFor("other", 7);
  other.owner = "models-2";
  ASSERT_OK(Reserve(other));

  ASSERT_OK_AND_ASSIGN(const Closing closing, CloseOwner("models-1"));

  EXPECT_EQ(closing.closed, 600);
  EXPECT_EQ(closing.charged_usd_nanos, 6'000);
  EXPECT_EQ(BalanceOf(kProject).bucket.reserved, 7);
  ASSERT_OK_AND_ASSIGN(const Closing again, CloseOwner("models-1"));
  EXPECT_EQ(again.closed, 0);
  ExpectAuditIsClean();
}

TEST_F(SqliteLedgerStoreTest, AdjustCorrectsTheCostOnce) {
  ASSERT_OK(SetLimit(kProject, 100));
  ASSERT_OK(Reserve(CallFor("k1", 80)));
  EXPECT_THAT(Adjust({.key = "a1", .reservation = "k1", .delta_usd_nanos = 5}),
              FailsWithReason("RESERVATION_OPEN"));
  ASSERT_OK(SettleFor("k1", 30));
  const AdjustOrder order = {.key = "a1", .reservation = "k1", .delta_usd_nanos = -10};
  ASSERT_OK(Adjust(order));
  ASSERT_OK(Adjust(order));
  EXPECT_EQ(BalanceOf(kProject).bucket.posted, 20);
  EXPECT_THAT(Adjust({.key = "a1", .reservation = "k1", .delta_usd_nanos = 1}),
              FailsWithReason("KEY_REUSED"));
  const absl::Status refused =
      Adjust({.key = "a2", .reservation = "k1", .delta_usd_nanos = -21}).status();
  EXPECT_THAT(refused, FailsWithReason("AMOUNT_INVALID"));
  EXPECT_THAT(refused.message(), ::testing::HasSubstr("would take the cost, 20, below 0"));
  ExpectAuditIsClean();
}

TEST_F(SqliteLedgerStoreTest, ThresholdWarnsOncePerWindow) {
  ASSERT_OK(SetBudget({.scope = kProject, .limit = 100, .warn_percents = {80, 50}}));
  ASSERT_OK(Reserve(CallFor("k1", 60)));
  ASSERT_OK(Release("k1"));
  ASSERT_OK(Reserve(CallFor("k2", 60)));
  ASSERT_OK(Reserve(CallFor("k3", 30)));

  ASSERT_OK_AND_ASSIGN(const events::Page page,
                       store_->events().ReadAfter(0, {.kinds = {"budget.warned"}}, 100));
  ASSERT_EQ(page.events.size(), 2u);
  EXPECT_THAT(page.events[0].draft.payload_json, ::testing::HasSubstr("\"percent\":50"));
  EXPECT_THAT(page.events[1].draft.payload_json, ::testing::HasSubstr("\"percent\":80"));
}

TEST_F(SqliteLedgerStoreTest, CallWithoutBudgetIsDeniedWhereOneIsRequired) {
  Open({.require_budget = true});
  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(CallFor("k1", 1)));
  EXPECT_EQ(denied.denial->cause, DenialCause::kNoBudget);
}

TEST_F(SqliteLedgerStoreTest, UnpricedModelIsDenied) {
  ReserveOrder order = CallFor("k1", 1);
  order.provider = "nobody";
  order.model = "nothing";
  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(order));
  EXPECT_EQ(denied.denial->cause, DenialCause::kNoPrice);
}

TEST_F(SqliteLedgerStoreTest, TimeNeverGoesBack) {
  ASSERT_OK(Reserve(CallFor("k1", 1)));
  clock_.StepWall(-absl::Hours(24));
  Open();
  ASSERT_OK_AND_ASSIGN(const Reservation later, Reserve(CallFor("k2", 1)));
  EXPECT_GE(later.charge_time, absl::FromUnixSeconds(1'793'000'000));
}

TEST_F(SqliteLedgerStoreTest, ConcurrentCallersGetExactlyTheCap) {
  constexpr int kCap = 500;
  constexpr int kThreads = 64;
  ASSERT_OK(SetLimit(kProject, kCap, Metric::kRequests));
  std::atomic<int> granted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const absl::StatusOr<Reservation> result = Reserve(CallFor(absl::StrCat(t, "-", i), 1));
        if (result.ok() && result->state == ReservationState::kHeld) ++granted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(granted, kCap);
  EXPECT_EQ(BalanceOf(kProject).bucket.reserved, kCap);
  ExpectAuditIsClean();
}

TEST_F(SqliteLedgerStoreTest, SumsUsageByAnyGroup) {
  for (int i = 0; i < 5; ++i) {
    ReserveOrder order = CallFor(absl::StrCat("k", i), 10);
    order.scopes.role = i % 2 == 0 ? "builder" : "critic";
    ASSERT_OK(Reserve(order));
    ASSERT_OK(SettleFor(order.key, 10 + i));
  }
  ASSERT_OK_AND_ASSIGN(const Page<UsageRollup> roles,
                       store_->QueryUsage({}, {.role = true}, {.size = 1}));
  ASSERT_EQ(roles.items.size(), 1u);
  EXPECT_EQ(roles.items[0].scopes.role, "builder");
  EXPECT_EQ(roles.items[0].cost_usd_nanos, 36);
  ASSERT_OK_AND_ASSIGN(
      const Page<UsageRollup> rest,
      store_->QueryUsage({}, {.role = true}, {.size = 1, .token = roles.next_token}));
  EXPECT_EQ(rest.items[0].scopes.role, "critic");
  EXPECT_EQ(rest.items[0].cost_usd_nanos, 24);
  EXPECT_TRUE(rest.next_token.empty());
  ASSERT_OK_AND_ASSIGN(const Page<UsageRollup> since,
                       store_->QueryUsage({.start = clock_.Now()}, {}, {}));
  EXPECT_EQ(since.items[0].calls, 5);
  EXPECT_THAT(store_->QueryUsage({}, {}, {.token = "?"}), FailsWithReason("PAGE_INVALID"));
  EXPECT_THAT(store_->ListUsage("", {.size = -1}), FailsWithReason("PAGE_INVALID"));
}

}  // namespace
}  // namespace slipway::ledger
