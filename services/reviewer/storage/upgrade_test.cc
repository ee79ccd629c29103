// What an earlier reviewer wrote means the same to this one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/status_macros.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"
#include "lib/testkit/temporary_directory.h"
#include "services/reviewer/storage/schema.h"
#include "services/reviewer/storage/sqlite_review_store.h"

namespace slipway::reviewer {
namespace {

constexpr sqlite::Sql kChange =
    "INSERT INTO inspection VALUES(?,'task','plan',1,'','','','','',1,'[]',0,'','tree','[]',0,0,?)";
constexpr sqlite::Sql kFailure =
    "INSERT INTO evidence(project,tree,validator_digest,attempt,passed,results,record_time_us)"
    " VALUES('projects/shop','tree','digest',?,0,'[]',?)";

absl::Time At(int seconds) { return absl::FromUnixSeconds(1'800'000'000 + seconds); }

TEST(UpgradeTest, FailuresBeforeAChangeWasHandedInStillDoNotCount) {
  const testkit::TemporaryDirectory directory;
  const std::string path = directory.File("reviewer.db");
  {
    // The last schema that told them apart by the clock.
    ASSERT_OK_AND_ASSIGN(
        const std::unique_ptr<sqlite::Database> database,
        sqlite::Database::Open(path, {.migrations = absl::MakeSpan(kMigrations, 4)}));
    ASSERT_OK(database->Write([](sqlite::Transaction& transaction) -> absl::Status {
      RETURN_IF_ERROR(transaction.Execute(kChange, "first", At(0)));
      RETURN_IF_ERROR(transaction.Execute(kFailure, "run-1", At(10)));
      RETURN_IF_ERROR(transaction.Execute(kFailure, "run-2", At(20)));
      RETURN_IF_ERROR(transaction.Execute(kChange, "second", At(20)));
      RETURN_IF_ERROR(transaction.Execute(kFailure, "run-3", At(30)));
      return transaction.Execute(kChange, "third", At(40));
    }));
  }
  testkit::FakeClock clock;
  testkit::SequentialIds ids;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SqliteReviewStore> store,
                       SqliteReviewStore::Open(path, clock, ids));
  const auto runs = [&](const std::string& attempt) {
    std::vector<std::string> found;
    const absl::StatusOr<std::vector<Evidence>> failures =
        store->ListFailures("projects/shop", "tree", "digest", attempt);
    EXPECT_OK(failures);
    for (const Evidence& failure : failures.value_or(std::vector<Evidence>())) {
      found.push_back(failure.attempt);
    }
    return found;
  };
  EXPECT_THAT(runs("first"), testing::ElementsAre("run-1", "run-2", "run-3"));
  EXPECT_THAT(runs("second"), testing::ElementsAre("run-2", "run-3"));
  EXPECT_THAT(runs("third"), testing::IsEmpty());
  EXPECT_THAT(runs("never inspected"), testing::SizeIs(3));
}

}  // namespace
}  // namespace slipway::reviewer
