#include "lib/sqlite/log_vfs.h"

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/faultdisk/fault_disk.h"
#include "lib/faultdisk/fault_vfs.h"
#include "lib/sqlite/database.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::sqlite {
namespace {

using ::slipway::testkit::IsOkAndHolds;

constexpr Migration kNotes[] = {
    {1, "CREATE TABLE note(id INTEGER PRIMARY KEY NOT NULL, text TEXT NOT NULL) STRICT"}};
constexpr Sql kInsertNote = "INSERT INTO note(text) VALUES(?)";
constexpr Sql kSumNotes = "SELECT COALESCE(SUM(length(text)),0) FROM note";

// Neither the pages that the cache holds nor those that a log gathers are as many.
constexpr int kLargeNotes = 600;
constexpr int kLargeBytes = 8'000;

class LogVfsTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path) {
    return Database::Open(path, {.migrations = kNotes,
                                 .gather_log = true,
                                 .cache_kib = 100,
                                 .checkpoint_pages = checkpoint_pages_});
  }

  static absl::Status AddNotes(Transaction& transaction, int count) {
    const std::string text(kLargeBytes, 'x');
    for (int i = 0; i < count; ++i) RETURN_IF_ERROR(transaction.Execute(kInsertNote, text));
    return absl::OkStatus();
  }

  static absl::StatusOr<int64_t> SumNotes(Database& database) {
    return database.Read([](Reader& reader) {
      return reader.QueryOne(kSumNotes, [](const Row& row) { return row.Int64(0); });
    });
  }

  int checkpoint_pages_ = 1'000;
  testkit::TemporaryDirectory directory_;
  const std::string path_ = directory_.File("test.db");
};

TEST_F(LogVfsTest, ACommitIsInTheFilesAndSeenByOtherConnections) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database, Open(path_));
  for (int i = 1; i <= 5; ++i) {
    ASSERT_OK(database->Write([](Transaction& t) { return AddNotes(t, 1); }));

    EXPECT_THAT(SumNotes(*database), IsOkAndHolds(i * kLargeBytes));
    // What a kill at this moment would leave.
    const std::string copy = directory_.File(absl::StrCat("copy", i, ".db"));
    std::filesystem::copy_file(path_, copy);
    std::filesystem::copy_file(path_ + "-wal", copy + "-wal");
    EXPECT_THAT(SumNotes(*Open(copy).value()), IsOkAndHolds(i * kLargeBytes));
  }
}

TEST_F(LogVfsTest, ATransactionLargerThanAllMemoryReadsItsOwnPages) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database, Open(path_));

  const absl::StatusOr<int64_t> sum =
      database->Write([](Transaction& transaction) -> absl::StatusOr<int64_t> {
        RETURN_IF_ERROR(AddNotes(transaction, kLargeNotes));
        return transaction.QueryOne(kSumNotes, [](const Row& row) { return row.Int64(0); });
      });

  EXPECT_THAT(sum, IsOkAndHolds(int64_t{kLargeNotes} * kLargeBytes));
  EXPECT_THAT(SumNotes(*database), IsOkAndHolds(int64_t{kLargeNotes} * kLargeBytes));
  EXPECT_OK(database->CheckIntegrity());
}

TEST_F(LogVfsTest, PagesOfATransactionThatWasUndoneAreWrittenOver) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database, Open(path_));
  for (int i = 1; i <= 3; ++i) {
    const absl::Status undone = database->Write([](Transaction& t) -> absl::Status {
      RETURN_IF_ERROR(AddNotes(t, kLargeNotes));
      return absl::AbortedError("changed its mind");
    });
    EXPECT_TRUE(absl::IsAborted(undone)) << undone;
    ASSERT_OK(database->Write([](Transaction& t) { return AddNotes(t, 1); }));
  }

  EXPECT_THAT(SumNotes(*database), IsOkAndHolds(3 * kLargeBytes));
  EXPECT_OK(database->CheckIntegrity());
}

TEST_F(LogVfsTest, ALogThatIsCarriedOverAndBegunAgainLosesNothing) {
  checkpoint_pages_ = 10;
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database, Open(path_));
    for (int i = 0; i < 100; ++i) {
      ASSERT_OK(database->Write([](Transaction& t) { return AddNotes(t, 2); }));
    }
    EXPECT_OK(database->CheckIntegrity());
  }

  EXPECT_THAT(SumNotes(*Open(path_).value()), IsOkAndHolds(200 * kLargeBytes));
}

TEST_F(LogVfsTest, AnUnsyncedCommitIsSyncedByWhoeverReadsIt) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database, Open(path_));
  ASSERT_TRUE(database->syncs_apart());
  ASSERT_OK(database->WriteUnsynced([](Transaction& t) { return AddNotes(t, 1); }));

  EXPECT_THAT(database->ReadUnsynced([](Reader& reader) {
    return reader.QueryOne(kSumNotes, [](const Row& row) { return row.Int64(0); });
  }),
              IsOkAndHolds(kLargeBytes));
  EXPECT_THAT(SumNotes(*database), IsOkAndHolds(kLargeBytes));
  EXPECT_OK(database->SyncLog());
}

TEST_F(LogVfsTest, AStatementByItselfSeesEachUnsyncedCommit) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database, Open(path_));
  ASSERT_OK(database->WriteUnsynced([](Transaction& t) { return AddNotes(t, 1); }));

  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(database->ReadStatementUnsynced([](Reader& reader) {
      return reader.QueryOne(kSumNotes, [](const Row& row) { return row.Int64(0); });
    }),
                IsOkAndHolds((i + 1) * kLargeBytes));
    ASSERT_OK(database->WriteUnsynced([](Transaction& t) { return AddNotes(t, 1); }));
  }
}

// A disk on which a power failure undoes what was not synced.
class PowerFailureTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Database>> Open() {
    return Database::Open("notes.db",
                          {.migrations = kNotes, .vfs = vfs_.name(), .gather_log = true});
  }

  // How many notes are left.
  absl::StatusOr<int64_t> LosePower(std::unique_ptr<Database> database) {
    disk_.Die();
    database.reset();
    vfs_.Restart();
    disk_.Restart(/*lose_power=*/true);
    ASSIGN_OR_RETURN(const std::unique_ptr<Database> again, Open());
    RETURN_IF_ERROR(again->CheckIntegrity());
    return again->Read([](Reader& reader) {
      return reader.QueryOne("SELECT COUNT(*) FROM note",
                             [](const Row& row) { return row.Int64(0); });
    });
  }

  static absl::Status AddNote(Transaction& transaction) {
    return transaction.Execute(kInsertNote, "x");
  }

  faultdisk::FaultDisk disk_{1};
  faultdisk::FaultVfs vfs_{disk_};
};

TEST_F(PowerFailureTest, UndoesNoCommitThatWasSynced) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Database> database, Open());
  for (int i = 0; i < 20; ++i) ASSERT_OK(database->WriteUnsynced(AddNote));
  ASSERT_OK(database->SyncLog());

  EXPECT_THAT(LosePower(std::move(database)), IsOkAndHolds(20));
}

TEST_F(PowerFailureTest, UndoesNoCommitThatWasRead) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Database> database, Open());
  ASSERT_OK(database->WriteUnsynced(AddNote));
  const int64_t syncs = disk_.count(faultdisk::Access::kSync);
  ASSERT_OK(database->Read([](Reader& reader) {
    return reader.QueryOne(kSumNotes, [](const Row& row) { return row.Int64(0); });
  }));
  EXPECT_EQ(disk_.count(faultdisk::Access::kSync), syncs + 1);  // What was not synced may survive.

  EXPECT_THAT(LosePower(std::move(database)), IsOkAndHolds(1));
}

TEST_F(PowerFailureTest, UndoesNoCommitThatAnErrorToldOf) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Database> database, Open());
  ASSERT_OK(database->WriteUnsynced(AddNote));
  const int64_t syncs = disk_.count(faultdisk::Access::kSync);
  const absl::Status told = database->Read(
      [](Reader&) -> absl::Status { return absl::AlreadyExistsError("there is a note"); });
  EXPECT_EQ(told, absl::AlreadyExistsError("there is a note"));
  EXPECT_EQ(disk_.count(faultdisk::Access::kSync), syncs + 1);  // What was not synced may survive.

  EXPECT_THAT(LosePower(std::move(database)), IsOkAndHolds(1));
}

TEST_F(PowerFailureTest, MayUndoCommitsThatNobodySyncedAndDamagesNothing) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Database> database, Open());
  ASSERT_OK(database->Write(AddNote));
  const int64_t syncs = disk_.count(faultdisk::Access::kSync);
  for (int i = 0; i < 20; ++i) ASSERT_OK(database->WriteUnsynced(AddNote));
  EXPECT_EQ(disk_.count(faultdisk::Access::kSync), syncs);

  ASSERT_OK_AND_ASSIGN(const int64_t left, LosePower(std::move(database)));
  EXPECT_GE(left, 1);
  EXPECT_LE(left, 21);
}

TEST_F(PowerFailureTest, ASyncThatFailedFailsForEver) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database, Open());
  ASSERT_OK(database->WriteUnsynced(AddNote));
  disk_.Arm({.fault = faultdisk::Fault::kIoError,
             .accesses = {faultdisk::Access::kSync},
             .countdown = 1});

  EXPECT_FALSE(database->SyncLog().ok());
  disk_.Disarm();
  EXPECT_FALSE(database->SyncLog().ok());
  EXPECT_FALSE(database
                   ->Read([](Reader& reader) {
                     return reader.QueryOne(kSumNotes, [](const Row& row) { return row.Int64(0); });
                   })
                   .ok());
}

}  // namespace
}  // namespace slipway::sqlite
