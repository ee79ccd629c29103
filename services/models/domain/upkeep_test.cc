#include "services/models/domain/upkeep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "services/models/domain/call_event.h"
#include "services/models/domain/health_watch.h"
#include "services/models/domain/limits.h"
#include "services/models/storage/sqlite_store.h"

namespace slipway::models {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class RetentionTest : public ::testing::Test {
 protected:
  // A call that ended now.
  void AddCall(const std::string& id, bool owed = false, const std::string& key_hash = "") {
    CallRecord record = {.id = id,
                         .call_id = id,
                         .owner = "models-1",
                         .key_hash = key_hash,
                         .start_time = clock_.Now(),
                         .scopes = {.attempt = key_hash.empty() ? "" : "a"}};
    ASSERT_OK(store_->Begin(record, std::nullopt));
    record.end_time = clock_.Now();
    record.outcome = "OK";
    const Settlement settlement = {.reservation = id};
    ASSERT_OK(store_->End(record, owed ? std::make_optional(settlement) : std::nullopt,
                          CallFinished(record)));
  }

  int Prune(absl::Duration age, int64_t calls_max = 1'000'000) {
    return store_
        ->Prune({.replies_before = clock_.Now() - age,
                 .calls_before = clock_.Now() - age,
                 .calls_max = calls_max})
        .value();
  }
  std::vector<std::string> Left() {
    const std::vector<CallRecord> records = store_->ListCalls(1'000'000, "", 1'000).value();
    std::vector<std::string> ids;
    for (const CallRecord& record : records) ids.push_back(record.id);
    return ids;
  }

  testkit::FakeClock clock_{absl::FromUnixSeconds(1'000'000)};
  std::unique_ptr<SqliteStore> store_ =
      SqliteStore::Open(":memory:", clock_, base::RandomIds()).value();
};

TEST_F(RetentionTest, CallsThatEndedLongAgoGo) {
  AddCall("old");
  clock_.Advance(absl::Hours(100));
  AddCall("new");

  EXPECT_EQ(Prune(absl::Hours(50)), 1);

  EXPECT_THAT(Left(), ::testing::ElementsAre("new"));
  EXPECT_EQ(Prune(absl::Hours(50)), 0);
}

TEST_F(RetentionTest, TheOldestBeyondTheMostGo) {
  for (int i = 1; i <= 5; ++i) AddCall(absl::StrCat("call-", i));

  EXPECT_EQ(Prune(absl::Hours(50), 2), 3);

  EXPECT_THAT(Left(), ::testing::ElementsAre("call-5", "call-4"));
}

TEST_F(RetentionTest, ACallThatTheLedgerIsOwedStaysUntilItIsSettled) {
  AddCall("owed", /*owed=*/true);
  clock_.Advance(absl::Hours(100));
  EXPECT_EQ(Prune(absl::Hours(50)), 0);

  ASSERT_OK(store_->MarkSettled("owed", 1));

  EXPECT_EQ(Prune(absl::Hours(50)), 1);
}

TEST_F(RetentionTest, ACallThatCountsForAKeyThatLivesStays) {
  const AttemptKey key = {.hash = "h",
                          .scopes = {.attempt = "a"},
                          .epoch = 1,
                          .expire_time = clock_.Now() + absl::Hours(200)};
  ASSERT_OK(store_->PutKey(key, std::nullopt));
  AddCall("of-key", /*owed=*/false, "h");
  clock_.Advance(absl::Hours(100));

  EXPECT_EQ(Prune(absl::Hours(50)), 0);
  EXPECT_THAT(Left(), SizeIs(1));
  ASSERT_OK(store_->RemoveKeys("a"));

  EXPECT_EQ(Prune(absl::Hours(50)), 1);
}

TEST_F(RetentionTest, RevokedAttemptsAreForgottenAsLateAsCallsAre) {
  const AttemptKey key = {.hash = "h", .scopes = {.attempt = "a"}, .epoch = 1};
  ASSERT_OK(store_->RemoveKeys("a"));
  clock_.Advance(absl::Hours(49));
  Prune(absl::Hours(50));
  EXPECT_THAT(store_->PutKey(key, std::nullopt), testkit::FailsWithReason("ATTEMPT_REVOKED"));
  clock_.Advance(absl::Hours(2));
  Prune(absl::Hours(50));
  EXPECT_OK(store_->PutKey(key, std::nullopt));
}

class LeftRunningTest : public RetentionTest {
 protected:
  // An instance that ran last, with a call at each step, and one that is not recorded.
  void RunAndEnd(const std::string& boot) {
    store_ = Open();
    ASSERT_OK(store_->RegisterOwner("before", boot));
    for (const char* id : {"holding", "sending", "unrecorded"}) ASSERT_OK(store_->NoteHold(id));
    for (const char* id : {"holding", "sending", "unnoted"}) {
      ASSERT_OK(store_->Begin({.id = id, .owner = "before", .start_time = clock_.Now()}, {}));
    }
    ASSERT_OK(store_->MarkSending("sending"));
    store_.reset();
    store_ = Open();
  }
  std::map<std::string, Phase> Left() {
    std::map<std::string, Phase> phases;
    const std::vector<CallRecord> left = store_->LeftRunning("next", "boot-2", 10).value();
    for (const CallRecord& record : left) phases[record.id] = record.phase;
    return phases;
  }
  std::unique_ptr<SqliteStore> Open() {
    return SqliteStore::Open(directory_.File("models.db"), clock_, base::RandomIds()).value();
  }

  testkit::TemporaryDirectory directory_;
};

TEST_F(LeftRunningTest, OnlyWhatIsNotedAsHeldWasNotSent) {
  RunAndEnd("boot-2");

  EXPECT_THAT(Left(), ::testing::ElementsAre(::testing::Pair("holding", Phase::kReserving),
                                             ::testing::Pair("sending", Phase::kSending),
                                             ::testing::Pair("unnoted", Phase::kSending)));
  ASSERT_OK_AND_ASSIGN(const Store::Unrecorded unrecorded, store_->HeldUnrecorded("boot-2"));
  EXPECT_EQ(unrecorded.owner, "before");
  EXPECT_THAT(unrecorded.tries, ::testing::ElementsAre("unrecorded"));
}

TEST_F(LeftRunningTest, AllMayHaveBeenSentByAnInstanceOfAnotherBoot) {
  RunAndEnd("boot-1");

  for (const auto& [id, phase] : Left()) EXPECT_EQ(phase, Phase::kSending) << id;
  EXPECT_THAT(store_->HeldUnrecorded("boot-2")->tries, IsEmpty());
}

TEST_F(LeftRunningTest, AllMayHaveBeenSentByAnInstanceBeforeTheLast) {
  RunAndEnd("boot-2");
  ASSERT_OK(store_->RegisterOwner("after", "boot-2"));

  for (const auto& [id, phase] : Left()) EXPECT_EQ(phase, Phase::kSending) << id;
  EXPECT_THAT(store_->HeldUnrecorded("boot-2")->tries, IsEmpty());
}

TEST_F(LeftRunningTest, ACallThatEndedLeavesNoNote) {
  store_ = Open();
  ASSERT_OK(store_->RegisterOwner("before", "boot-2"));
  ASSERT_OK(store_->NoteHold("call-1"));
  CallRecord record = {.id = "call-1", .owner = "before", .start_time = clock_.Now()};
  ASSERT_OK(store_->Begin(record, {}));
  record.end_time = clock_.Now();
  ASSERT_OK(store_->End(record, std::nullopt, CallFinished(record)));
  ASSERT_OK(store_->NoteHold("call-2"));
  store_->ForgetHold("call-2");
  store_.reset();
  store_ = Open();

  EXPECT_THAT(Left(), IsEmpty());
  EXPECT_THAT(store_->HeldUnrecorded("boot-2")->tries, IsEmpty());
}

TEST_F(RetentionTest, ACallUnderWayStays) {
  ASSERT_OK(store_->Begin({.id = "running", .start_time = clock_.Now()}, std::nullopt));
  clock_.Advance(absl::Hours(100));

  EXPECT_EQ(Prune(absl::Hours(50)), 0);
}

TEST_F(RetentionTest, DecisionsAboutRolesGoWithTheirAge) {
  const RoleDecision decision = {.scopes = {.plan = "p", .attempt = "a", .role = "r"},
                                 .time = clock_.Now(),
                                 .reasons = {"why"}};
  ASSERT_OK(store_->PutKey({.hash = "h", .scopes = {.attempt = "a"}, .epoch = 1}, decision));
  ASSERT_THAT(store_->Decisions("p", 10).value(), SizeIs(1));
  clock_.Advance(absl::Hours(100));

  Prune(absl::Hours(50));

  EXPECT_THAT(store_->Decisions("p", 10).value(), IsEmpty());
}

// An endpoint that is asked for its health, and says what the test wants.
class CheckedProvider final : public Provider {
 public:
  const std::string& name() const override { return name_; }
  const char* kind() const override { return "openai"; }
  bool free() const override { return true; }
  bool Takes(Dialect) const override { return true; }
  std::unique_ptr<ProviderExchange> Start(const ProviderCall&, ProviderSink&) override {
    return nullptr;
  }
  Reconciliation Reconcile(const std::string&) override { return {}; }
  std::optional<ProviderHealth> Check() override {
    base::MutexLock lock(mutex_);
    ++checks_;
    changed_.NotifyAll();
    return health_;
  }

  void Set(const ProviderHealth& health) {
    base::MutexLock lock(mutex_);
    health_ = health;
  }
  // Until it was asked so often: what was found before is then known.
  void AwaitChecks(int count) {
    base::MutexLock lock(mutex_);
    while (checks_ < count) changed_.Wait(mutex_);
  }

 private:
  const std::string name_ = "openai";
  base::Mutex mutex_;
  base::CondVar changed_;
  int checks_ ABSL_GUARDED_BY(mutex_) = 0;
  ProviderHealth health_ ABSL_GUARDED_BY(mutex_) = {.healthy = true};
};

class HealthWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto provider = std::make_unique<CheckedProvider>();
    provider_ = provider.get();
    providers_["openai"] = std::move(provider);
  }
  void Watch() {
    watch_ = std::make_unique<HealthWatch>(providers_, *gates_, clock_, absl::Minutes(1));
    provider_->AwaitChecks(1);
  }
  void LookAgain() {
    AwaitTimer();
    clock_.Advance(absl::Minutes(1));
    provider_->AwaitChecks(++looked_);
    AwaitTimer();
  }
  // It waits for the next look once it has dealt with the last one.
  void AwaitTimer() const {
    while (clock_.pending_timers() == 0) std::this_thread::yield();
  }

  testkit::FakeClock clock_{absl::FromUnixSeconds(1'000'000)};
  std::unique_ptr<SqliteStore> store_ =
      SqliteStore::Open(":memory:", clock_, base::RandomIds()).value();
  std::unique_ptr<GateKeeper> gates_ = GateKeeper::Load(*store_, clock_).value();
  std::map<std::string, std::unique_ptr<Provider>> providers_;
  CheckedProvider* provider_ = nullptr;
  std::unique_ptr<HealthWatch> watch_;
  int looked_ = 1;
};

TEST_F(HealthWatchTest, AnEndpointThatDoesNotAnswerIsNotWellButIsNotClosed) {
  Watch();
  provider_->Set({.healthy = false, .detail = "no connection"});

  LookAgain();

  EXPECT_FALSE(watch_->Of("openai")->healthy);
  EXPECT_EQ(watch_->Of("openai")->detail, "no connection");
  EXPECT_EQ(watch_->Of("openai")->time, clock_.Now());
  EXPECT_THAT(gates_->All(), IsEmpty());
  EXPECT_EQ(watch_->Of("nobody"), std::nullopt);
}

TEST_F(HealthWatchTest, AKeyThatIsRefusedClosesTheGateUntilItIsTakenAgain) {
  Watch();
  provider_->Set({.healthy = false, .key_refused = true, .detail = "401"});
  LookAgain();
  ASSERT_THAT(gates_->All(), SizeIs(1));
  EXPECT_EQ(gates_->All()[0].name, "providers/openai");
  EXPECT_EQ(gates_->All()[0].cause, "CONFIG");
  EXPECT_EQ(store_->Gates()->size(), 1u) << "durable, with an event that tells of it";

  provider_->Set({.healthy = true});
  LookAgain();

  EXPECT_TRUE(watch_->Of("openai")->healthy);
  EXPECT_THAT(gates_->All(), IsEmpty());
}

TEST_F(HealthWatchTest, AGateClosedForAnotherReasonStaysClosed) {
  Watch();
  ASSERT_OK(gates_->Close({.name = "providers/openai", .cause = "MONEY", .detail = "unpaid"}));

  LookAgain();

  EXPECT_THAT(gates_->All(), SizeIs(1));
}

}  // namespace
}  // namespace slipway::models
