#pragma once

#include <gtest/gtest.h>
#include <algorithm>

#include <memory>
#include <string>
#include <utility>

#include "lib/base/mutex.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"
#include "lib/testkit/temporary_directory.h"
#include "services/ledger/storage/sqlite_ledger_store.h"

namespace slipway::ledger {

// A store on a real file, whose answers a test waits for.
class LedgerFixture : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  // Ends the store, as a crash between commits would, and opens its file again.
  void Open(Ledger::Options options = {}) {
    store_.reset();
    ASSERT_OK_AND_ASSIGN(
        store_, SqliteLedgerStore::Open({.path = directory_.File("ledger.db"), .ledger = options},
                                        clock_, ids_));
  }

  template <typename T, typename Call>
  static absl::StatusOr<T> Await(Call call) {
    struct Waiter {
      base::Mutex mutex;
      base::CondVar answered;
      std::optional<absl::StatusOr<T>> result;
    };
    auto waiter = std::make_shared<Waiter>();
    call(base::Reply<T>([waiter](absl::StatusOr<T> result) {
      base::MutexLock lock(waiter->mutex);
      waiter->result.emplace(std::move(result));
      waiter->answered.NotifyAll();
    }));
    base::MutexLock lock(waiter->mutex);
    while (!waiter->result.has_value()) waiter->answered.Wait(waiter->mutex);
    return *std::move(waiter->result);
  }

  absl::StatusOr<Reservation> Reserve(const ReserveOrder& order) {
    return Await<Reservation>([&](auto reply) { store_->Reserve(order, std::move(reply)); });
  }
  absl::StatusOr<Settlement> Settle(const SettleOrder& order) {
    return Await<Settlement>([&](auto reply) { store_->Settle(order, std::move(reply)); });
  }
  absl::StatusOr<Settlement> SettleFor(const std::string& key, int64_t cost) {
    return Settle({.key = key, .tokens = TokenCounts{.input = 10}, .cost_usd_nanos = cost});
  }
  absl::StatusOr<Reservation> Release(const std::string& key, Proof proof = Proof::kNotSent) {
    return Await<Reservation>([&](auto reply) { store_->Release(key, proof, std::move(reply)); });
  }
  absl::StatusOr<ledger::TopUp> TopUp(const TopUpOrder& order) {
    return Await<ledger::TopUp>([&](auto reply) { store_->TopUp(order, std::move(reply)); });
  }
  absl::StatusOr<std::optional<FrozenScope>> Freeze(const std::string& scope, bool frozen) {
    return Await<std::optional<FrozenScope>>([&](auto reply) {
      store_->FreezeScope({.scope = scope, .frozen = frozen, .reason = "why", .actor = "ada"},
                          std::move(reply));
    });
  }
  absl::StatusOr<Reservation> Extend(const std::string& key, absl::Duration lifetime) {
    return Await<Reservation>([&](auto reply) { store_->Extend(key, lifetime, std::move(reply)); });
  }
  absl::StatusOr<Reservation> Adjust(const AdjustOrder& order) {
    return Await<Reservation>([&](auto reply) { store_->Adjust(order, std::move(reply)); });
  }
  absl::StatusOr<Closing> CloseOwner(const std::string& owner, int64_t epoch_before = 0) {
    return Await<Closing>(
        [&](auto reply) { store_->CloseOwner(owner, epoch_before, std::move(reply)); });
  }
  absl::StatusOr<Balance> SetBudget(const BudgetOrder& order) {
    return Await<Balance>([&](auto reply) { store_->SetBudget(order, std::move(reply)); });
  }
  absl::StatusOr<Balance> SetLimit(const std::string& scope, int64_t limit,
                                   Metric metric = Metric::kUsdNanos,
                                   Window window = Window::kTotal) {
    return SetBudget({.scope = scope, .metric = metric, .window = window, .limit = limit});
  }

  // A call of plan a of project p for `usd` nano-USD.
  static ReserveOrder CallFor(const std::string& key, int64_t usd) {
    ReserveOrder order = {.key = key,
                          .scopes = {.plan = "projects/p/plans/a", .role = "builder"},
                          .amounts = {.usd_nanos = usd, .requests = 1},
                          .lifetime = absl::Minutes(10),
                          .owner = "models-1"};
    order.minimum = order.amounts;
    return order;
  }

  // Lets the timer of the expiry fire until nothing that has expired is held.
  void AdvanceAndExpire(absl::Duration by) {
    // One interval of the timer at a time: it is armed again by the writer, after what was due at
    // its moment is closed, and the writer decides in order.
    for (absl::Duration left = by; left > absl::ZeroDuration(); left -= absl::Seconds(1)) {
      clock_.Advance(std::min(left, absl::Seconds(1)));
      do {
        EXPECT_OK(CloseOwner("nobody"));
      } while (clock_.pending_timers() == 0);
    }
  }

  Balance BalanceOf(const std::string& scope) {
    const absl::StatusOr<Page<Balance>> page = store_->ListBalances(scope, {});
    EXPECT_OK(page);
    for (const Balance& balance : page->items) {
      if (balance.budget.scope == scope) return balance;
    }
    ADD_FAILURE() << "no budget of " << scope;
    return {};
  }

  void ExpectAuditIsClean() {
    ASSERT_OK_AND_ASSIGN(const AuditResult audit, store_->Audit());
    EXPECT_GE(audit.checks.size(), 10u);
    for (const AuditCheck& check : audit.checks) {
      EXPECT_THAT(check.breaches, ::testing::IsEmpty()) << check.invariant;
    }
  }

  testkit::TemporaryDirectory directory_;
  testkit::FakeClock clock_{absl::FromUnixSeconds(1'793'000'000)};
  testkit::SequentialIds ids_;
  std::unique_ptr<SqliteLedgerStore> store_;
};

}  // namespace slipway::ledger
