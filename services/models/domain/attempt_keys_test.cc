#include "services/models/domain/attempt_keys.h"

#include <gtest/gtest.h>

#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"
#include "lib/testkit/temporary_directory.h"
#include "services/models/domain/limits.h"
#include "services/models/storage/sqlite_store.h"

namespace slipway::models {
namespace {

using testkit::FailsWithReason;

constexpr char kTheAttempt[] = "projects/p/plans/n/tasks/t/attempts/1";
constexpr absl::Duration kLifetime = absl::Minutes(35);

class AttemptKeysTest : public ::testing::Test {
 protected:
  void SetUp() override { Restart(); }
  void Restart() {
    keys_.reset();
    store_.reset();
    ASSERT_OK_AND_ASSIGN(store_, SqliteStore::Open(directory_.File("models.db"), clock_, ids_));
    keys_ = std::make_unique<AttemptKeys>(*store_, routes_, running_, clock_, ids_);
  }
  std::string Issue() {
    AttemptKeys::Issue issue = {.epoch = 1, .roles = {"writer"}, .lifetime = kLifetime};
    issue.scopes.attempt = kTheAttempt;
    return keys_->IssueKey(issue).value().secret;
  }
  absl::Status Call(const std::string& secret) {
    const absl::StatusOr<AttemptKey> key = keys_->Authenticate(secret);
    if (!key.ok()) return key.status();
    const std::string id = absl::StrCat("call-", ++calls_);
    return store_
        ->Begin({.id = id, .call_id = id, .key_hash = key->hash, .scopes = key->scopes},
                std::nullopt)
        .status();
  }

  testkit::TemporaryDirectory directory_;
  testkit::FakeClock clock_;
  testkit::SequentialIds ids_;
  const RouteTable routes_{{{.role = "*", .provider = "p", .model = "m"}}};
  RunningCalls running_{10};
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<AttemptKeys> keys_;
  int calls_ = 0;
};

TEST_F(AttemptKeysTest, AKeyIsGoodForItsLifetimeWhateverTheWallClockDoes) {
  const std::string key = Issue();

  clock_.StepWall(absl::Hours(1));
  EXPECT_OK(Call(key)) << "it does not end with the clock";

  clock_.StepWall(-absl::Hours(3));
  clock_.Advance(kLifetime - absl::Seconds(1));
  EXPECT_OK(Call(key));
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(Call(key), FailsWithReason("KEY_INVALID")) << "nor lasts longer";
}

TEST_F(AttemptKeysTest, ARestartTakesNothingFromAKeyAndGivesItADayAtMost) {
  const std::string key = Issue();
  clock_.Advance(absl::Minutes(30));
  Restart();
  EXPECT_OK(Call(key));
  clock_.Advance(absl::Minutes(5));
  EXPECT_THAT(Call(key), FailsWithReason("KEY_INVALID"));

  clock_.StepWall(-absl::Hours(100));
  Restart();
  EXPECT_OK(Call(key));
  clock_.Advance(kKeyLifetimeMax);
  EXPECT_THAT(Call(key), FailsWithReason("KEY_INVALID"));
}

TEST_F(AttemptKeysTest, AKeyThatIsReplacedOrRevokedEndsAtOnce) {
  const std::string first = Issue();
  const std::string second = Issue();
  EXPECT_THAT(Call(first), FailsWithReason("KEY_INVALID"));
  EXPECT_OK(Call(second));

  ASSERT_OK(keys_->Revoke(kTheAttempt));

  EXPECT_THAT(Call(second), FailsWithReason("KEY_INVALID"));
}

}  // namespace
}  // namespace slipway::models
