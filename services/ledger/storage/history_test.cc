// Random histories against a model that is too simple to be wrong.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "services/ledger/storage/ledger_fixture.h"

namespace slipway::ledger {
namespace {

// What calls hold and cost, by plan; a budget is a sum over it.
class NaiveLedger {
 public:
  struct Call {
    std::string plan;
    int64_t held = 0;
    int64_t cost = 0;
    bool open = true;
    absl::Time expire_time;
  };

  int64_t Used(const std::string& scope) const {
    int64_t used = 0;
    for (const auto& [key, call] : calls) {
      if (scope == kOrganisation || call.plan == scope || call.plan.rfind(scope + "/", 0) == 0) {
        used += call.open ? call.held : call.cost;
      }
    }
    return used;
  }

  bool Fits(const std::string& plan, int64_t amount) const {
    return std::all_of(limits.begin(), limits.end(), [&](const auto& limit) {
      const bool covers = limit.first == kOrganisation || plan == limit.first ||
                          plan.rfind(limit.first + "/", 0) == 0;
      return !covers || (limit.second > 0 && Used(limit.first) + amount <= limit.second &&
                         !frozen[limit.first]);
    });
  }

  std::map<std::string, Call> calls;
  std::map<std::string, int64_t> limits;
  mutable std::map<std::string, bool> frozen;
};

class History : public LedgerFixture, public ::testing::WithParamInterface<int> {
 protected:
  std::string RandomPlan() { return absl::StrCat("projects/p", Draw(2), "/plans/", Draw(3)); }
  int Draw(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  std::string RandomOpenCall() {
    std::vector<std::string> keys;
    for (const auto& [key, call] : naive_.calls) {
      if (call.open) keys.push_back(key);
    }
    return keys.empty() ? "" : keys[static_cast<size_t>(Draw(static_cast<int>(keys.size())))];
  }

  void StepReserve(int step) {
    ReserveOrder order = CallFor(absl::StrCat("k", step), Draw(200));
    order.scopes = {.plan = RandomPlan()};
    order.lifetime = absl::Seconds(1 + Draw(120));
    const bool fits = naive_.Fits(order.scopes.plan, order.amounts.usd_nanos);
    ASSERT_OK_AND_ASSIGN(const Reservation result, Reserve(order));
    ASSERT_EQ(result.state == ReservationState::kHeld, fits) << "step " << step;
    if (!fits) return;
    naive_.calls[order.key] = {.plan = order.scopes.plan,
                               .held = order.amounts.usd_nanos,
                               .expire_time = clock_.Now() + order.lifetime};
  }

  void StepEnd() {
    const std::string key = RandomOpenCall();
    if (key.empty()) return;
    NaiveLedger::Call& call = naive_.calls[key];
    if (Draw(3) == 0) {
      ASSERT_OK(Release(key));
      call.cost = 0;
    } else {
      call.cost = Draw(static_cast<int>(call.held) + 1);
      ASSERT_OK(SettleFor(key, call.cost));
    }
    call.open = false;
  }

  void StepBudget() {
    const std::string scopes[] = {kOrganisation, "projects/p0", "projects/p1", RandomPlan()};
    const std::string& scope = scopes[Draw(4)];
    const int64_t limit = Draw(3'000);
    ASSERT_OK(SetLimit(scope, limit));
    naive_.limits[scope] = limit;
  }

  // Which holds have expired is the store's to say, within a tick of its timer.
  void StepTime() {
    AdvanceAndExpire(absl::Seconds(1 + Draw(40)));
    ASSERT_OK_AND_ASSIGN(
        const Page<Reservation> page,
        store_->ListReservations({.state = ReservationState::kHeld}, {.size = 1'000}));
    std::set<std::string> held;
    for (const Reservation& reservation : page.items) held.insert(reservation.key());
    for (auto& [key, call] : naive_.calls) {
      if (!call.open) continue;
      if (call.expire_time > clock_.Now()) {
        ASSERT_TRUE(held.contains(key)) << key;
      }
      if (call.expire_time <= clock_.Now() - absl::Seconds(2)) {
        ASSERT_FALSE(held.contains(key)) << key;
      }
      if (held.contains(key)) continue;
      call.open = false;
      call.cost = call.held;
    }
  }

  void CompareBalances() {
    ASSERT_OK_AND_ASSIGN(const Page<Balance> page, store_->ListBalances("", {.size = 1'000}));
    ASSERT_EQ(page.items.size(), naive_.limits.size());
    for (const Balance& balance : page.items) {
      ASSERT_EQ(balance.bucket.posted + balance.bucket.reserved, naive_.Used(balance.budget.scope))
          << balance.budget.scope;
    }
  }

  std::mt19937 random_{static_cast<unsigned>(GetParam())};
  NaiveLedger naive_;
};

TEST_P(History, AgreesWithTheModelAfterEveryStep) {
  for (int step = 0; step < 400 && !HasFatalFailure(); ++step) {
    const int choice = Draw(100);
    if (choice < 50) {
      StepReserve(step);
    } else if (choice < 85) {
      StepEnd();
    } else if (choice < 93) {
      StepBudget();
    } else if (choice < 97) {
      StepTime();
    } else {
      Open();
    }
    CompareBalances();
    if (step % 20 == 0) ExpectAuditIsClean();
  }
  ExpectAuditIsClean();
}

// Envelopes, corrections and removed budgets have no simple model; their books must balance.
class WildHistory : public History {
 protected:
  std::string AnyKey(const std::vector<std::string>& keys) {
    return keys.empty() ? "none" : keys[static_cast<size_t>(Draw(static_cast<int>(keys.size())))];
  }

  void StepWildReserve(int step) {
    ReserveOrder order = CallFor(absl::StrCat("k", step), Draw(300));
    order.scopes = {.plan = RandomPlan(), .role = Draw(2) == 0 ? "builder" : "critic"};
    order.minimum.usd_nanos = Draw(static_cast<int>(order.amounts.usd_nanos) + 1);
    order.amounts.tokens = Draw(100);
    order.minimum.tokens = 0;
    order.lifetime = absl::Seconds(1 + Draw(200));
    order.owner = absl::StrCat("owner-", Draw(3));
    if (Draw(4) == 0) {
      order.kind = ReservationKind::kEnvelope;
      order.scopes.role.clear();
      envelopes_.push_back(order.key);
    } else if (Draw(2) == 0 && !envelopes_.empty()) {
      order.envelope = AnyKey(envelopes_);
      order.scopes.plan = plans_[order.envelope];
    }
    plans_[order.key] = order.scopes.plan;
    Reserve(order).status().IgnoreError();
    keys_.push_back(order.key);
  }

  void StepWildBudget() {
    const std::string scopes[] = {kOrganisation, "projects/p0", "projects/p1/roles/critic",
                                  RandomPlan()};
    const BudgetOrder order = {.scope = scopes[Draw(4)],
                               .metric = kMetrics[static_cast<size_t>(Draw(3))],
                               .window = static_cast<Window>(1 + Draw(3)),
                               .time_zone = "Europe/Berlin",
                               .limit = Draw(3'000),
                               .warn_percents = {50, 90}};
    ASSERT_OK_AND_ASSIGN(const Balance balance, SetBudget(order));
    if (Draw(4) != 0) return;
    EXPECT_OK(Await<std::string>(
        [&](auto reply) { store_->DeleteBudget(balance.budget.id, "test", std::move(reply)); }));
  }

  void StepWild(int step) {
    switch (Draw(12)) {
      case 0:
        return StepWildBudget();
      case 1:
        return Open();
      case 2:
        clock_.StepWall(absl::Seconds(Draw(20'000)));  // The timer finds all that was due by then.
        return AdvanceAndExpire(absl::Seconds(1));
      case 3:
        return SettleFor(AnyKey(keys_), Draw(500)).status().IgnoreError();
      case 4:
        return Settle({.key = AnyKey(keys_), .outcome_unknown = true}).status().IgnoreError();
      case 5:
        return Release(AnyKey(keys_)).status().IgnoreError();
      case 6:
        return Adjust({.key = absl::StrCat("a", step),
                       .reservation = AnyKey(keys_),
                       .delta_usd_nanos = Draw(100) - 50})
            .status()
            .IgnoreError();
      case 7:
        if (Draw(10) == 0) {
          ASSERT_OK(CloseOwner(absl::StrCat("owner-", Draw(3))));
        }
        return;
      default:
        return StepWildReserve(step);
    }
  }

  std::vector<std::string> keys_;
  std::vector<std::string> envelopes_;
  std::map<std::string, std::string> plans_;
};

TEST_P(WildHistory, KeepsEveryInvariantAfterEveryStep) {
  for (int step = 0; step < 250 && !HasFailure(); ++step) {
    StepWild(step);
    ExpectAuditIsClean();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, WildHistory, ::testing::Range(1, 11));
INSTANTIATE_TEST_SUITE_P(Seeds, History, ::testing::Range(1, 11));

}  // namespace
}  // namespace slipway::ledger
