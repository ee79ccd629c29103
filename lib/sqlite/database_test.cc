#include "lib/sqlite/database.h"

#include <atomic>
#include <thread>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "lib/base/id.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::sqlite {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::IsOkAndHolds;
using ::slipway::testkit::StatusIs;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Optional;

using PersonId = base::Id<struct PersonTag>;

constexpr Migration kMigrations[] = {
    {1,
     "CREATE TABLE person(id TEXT PRIMARY KEY NOT NULL, age INTEGER NOT NULL CHECK(age>=0)) STRICT;"
     "CREATE TABLE pet(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,"
     " owner TEXT NOT NULL REFERENCES person(id) DEFERRABLE INITIALLY DEFERRED) STRICT;"},
    {2, "CREATE TABLE value(i INTEGER, r REAL, t TEXT, b BLOB) STRICT"},
};

constexpr Sql kInsertPerson = "INSERT INTO person(id,age) VALUES(?,?)";
constexpr Sql kInsertPet = "INSERT INTO pet(owner) VALUES(?) RETURNING id";
constexpr Sql kSelectAges = "SELECT age FROM person ORDER BY age";
constexpr Sql kCountPeople = "SELECT count(*) FROM person";
constexpr Sql kInsertValue = "INSERT INTO value(i,r,t,b) VALUES(?,?,?,?)";
constexpr Sql kSelectValue = "SELECT i,r,t,b FROM value";

// What must not compile: text that is not a constant of the program, and the empty text.
static_assert(std::is_constructible_v<Sql, const char (&)[9]>);
static_assert(!std::is_constructible_v<Sql, std::string>);
static_assert(!std::is_constructible_v<Sql, const char*>);
static_assert(!std::is_constructible_v<Sql, absl::string_view>);
// Rejected by consteval, which no trait can show:
//   char local[] = "SELECT 1"; Sql sql(local);
//   Sql sql("");
// Neither Reader nor Transaction can be made or copied outside the library.
static_assert(!std::is_constructible_v<Transaction, Connection&>);
static_assert(!std::is_copy_constructible_v<Transaction>);
static_assert(!std::is_move_constructible_v<Transaction>);

int64_t ReadInt64(const Row& row) { return row.Int64(0); }

absl::Status AddPerson(Database& database, const std::string& id, int age) {
  return database.Write(
      [&](Transaction& transaction) { return transaction.Execute(kInsertPerson, id, age); });
}

absl::StatusOr<int64_t> CountPeople(Database& database) {
  return database.Read([](Reader& reader) { return reader.QueryOne(kCountPeople, ReadInt64); });
}

// The same tests on memory and on a file: readers differ.
class DatabaseTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    path_ = GetParam() == std::string("file") ? directory_.File("test.db") : ":memory:";
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(path_, {.migrations = kMigrations}));
  }

  testkit::TemporaryDirectory directory_;
  std::string path_;
  std::unique_ptr<Database> database_;
};
INSTANTIATE_TEST_SUITE_P(, DatabaseTest, ::testing::Values("memory", "file"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(DatabaseTest, CommittedWriteIsRead) {
  ASSERT_OK(AddPerson(*database_, "ada", 36));

  EXPECT_THAT(CountPeople(*database_), IsOkAndHolds(1));
}

TEST_P(DatabaseTest, FailedWriteChangesNothing) {
  const absl::Status status = database_->Write([](Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(transaction.Execute(kInsertPerson, "ada", 36));
    return absl::OutOfRangeError("changed my mind");
  });

  EXPECT_THAT(status, StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(CountPeople(*database_), IsOkAndHolds(0));
}

TEST_P(DatabaseTest, WriteReturnsTheValueOfItsFunction) {
  const absl::StatusOr<std::optional<int64_t>> pet =
      database_->Write([](Transaction& transaction) -> absl::StatusOr<std::optional<int64_t>> {
        RETURN_IF_ERROR(transaction.Execute(kInsertPerson, "ada", 36));
        return transaction.FindOne(kInsertPet, ReadInt64, "ada");
      });

  EXPECT_THAT(pet, IsOkAndHolds(Optional(1)));
}

TEST_P(DatabaseTest, ReaderRefusesToWrite) {
  const absl::Status status = database_->Read([](Reader& reader) {
    return reader.ForEach(
        kInsertPerson, [](const Row&) {}, "ada", 36);
  });

  EXPECT_FALSE(status.ok());
  EXPECT_THAT(CountPeople(*database_), IsOkAndHolds(0));
}

TEST_P(DatabaseTest, TransactionCannotBeEndedFromInside) {
  const absl::Status status = database_->Write([](Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(transaction.Execute(kInsertPerson, "ada", 36));
    return transaction.Execute("COMMIT");
  });

  EXPECT_FALSE(status.ok());
  EXPECT_THAT(CountPeople(*database_), IsOkAndHolds(0));
}

TEST_P(DatabaseTest, PragmasBelongToTheLibrary) {
  EXPECT_FALSE(database_
                   ->Write([](Transaction& transaction) {
                     return transaction.Execute("PRAGMA foreign_keys=OFF");
                   })
                   .ok());
}

TEST_P(DatabaseTest, NestedStepThatFailsUndoesOnlyItself) {
  ASSERT_OK(database_->Write([](Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(transaction.Execute(kInsertPerson, "ada", 1));
    const absl::Status refused = transaction.Nested([&]() -> absl::Status {
      RETURN_IF_ERROR(transaction.Execute(kInsertPerson, "bob", 2));
      return absl::CancelledError("no");
    });
    EXPECT_THAT(refused, StatusIs(absl::StatusCode::kCancelled));
    return transaction.Nested([&] { return transaction.Execute(kInsertPerson, "cyd", 3); });
  }));

  EXPECT_THAT(database_->Read([](Reader& reader) { return reader.Query(kSelectAges, ReadInt64); }),
              IsOkAndHolds(ElementsAre(1, 3)));
}

TEST_P(DatabaseTest, UseFromInsideAWriteIsAnErrorAndNoDeadlock) {
  absl::Status write;
  absl::StatusOr<int64_t> read;
  ASSERT_OK(database_->Write([&](Transaction&) {
    write = AddPerson(*database_, "ada", 36);
    read = CountPeople(*database_);
    return absl::OkStatus();
  }));

  EXPECT_THAT(write, FailsWithReason("NESTED_USE"));
  EXPECT_THAT(read, FailsWithReason("NESTED_USE"));
}

TEST_P(DatabaseTest, ConstraintsHaveTheirOwnReasons) {
  ASSERT_OK(AddPerson(*database_, "ada", 36));

  EXPECT_THAT(AddPerson(*database_, "ada", 37), FailsWithReason("ROW_EXISTS"));
  EXPECT_THAT(AddPerson(*database_, "ada", 37), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(AddPerson(*database_, "bob", -1), FailsWithReason("CHECK_FAILED"));
  EXPECT_THAT(AddPerson(*database_, "bob", -1), StatusIs(absl::StatusCode::kFailedPrecondition));
  const auto fails_with = [&](auto... args) {
    return database_->Write(
        [&](Transaction& transaction) { return transaction.Execute(kInsertPerson, args...); });
  };
  EXPECT_THAT(fails_with(std::nullopt, 1), FailsWithReason("CONSTRAINT_FAILED"));
  EXPECT_THAT(fails_with("bob", "old"), FailsWithReason("CONSTRAINT_FAILED"));
}

TEST_P(DatabaseTest, ForeignKeysHoldAtCommit) {
  const absl::Status status = database_->Write(
      [](Transaction& transaction) { return transaction.Execute(kInsertPet, "nobody"); });

  EXPECT_THAT(status, FailsWithReason("FOREIGN_KEY"));
  EXPECT_OK(AddPerson(*database_, "ada", 36));
}

TEST_P(DatabaseTest, NumberOfValuesMustMatchTheParameters) {
  EXPECT_THAT(database_->Write([](Transaction& transaction) {
    return transaction.Execute(kInsertPerson, "ada");
  }),
              FailsWithReason("PARAMETER_COUNT"));
  EXPECT_THAT(database_->Write([](Transaction& transaction) {
    return transaction.Execute(kInsertPerson, "ada", 1, 2);
  }),
              FailsWithReason("PARAMETER_COUNT"));
}

TEST_P(DatabaseTest, TextAfterTheStatementIsRefused) {
  EXPECT_FALSE(
      database_
          ->Write([](Transaction& t) { return t.Execute("DELETE FROM pet; DELETE FROM person"); })
          .ok());
}

TEST_P(DatabaseTest, ValuesComeBackAsTheyWere) {
  const absl::Time time = absl::FromUnixMicros(1'234'567'890'123'456);
  const std::string bytes("a\0b\xff", 4);
  ASSERT_OK(database_->Write([&](Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(transaction.Execute(kInsertValue, time, 0.5, PersonId("ada"), Blob{bytes}));
    RETURN_IF_ERROR(transaction.Execute(kInsertValue, std::optional<int64_t>(), std::nullopt,
                                        std::optional<std::string>(), std::nullopt));
    return transaction.Execute(kInsertValue, true, 2.0, absl::string_view(), Blob{});
  }));

  int rows = 0;
  ASSERT_OK(database_->Read([&](Reader& reader) {
    return reader.ForEach(kSelectValue, [&](const Row& row) {
      ++rows;
      if (rows == 1) {
        EXPECT_EQ(row.Time(0), time);
        EXPECT_EQ(row.Double(1), 0.5);
        EXPECT_EQ(row.Id<PersonId>(2), PersonId("ada"));
        EXPECT_EQ(row.Blob(3), bytes);
        EXPECT_THAT(row.OptionalTime(0), Optional(time));
        EXPECT_THAT(row.OptionalText(2), Optional(Eq("ada")));
      } else if (rows == 2) {
        EXPECT_EQ(row.OptionalInt64(0), std::nullopt);
        EXPECT_EQ(row.OptionalDouble(1), std::nullopt);
        EXPECT_EQ(row.OptionalText(2), std::nullopt);
        EXPECT_EQ(row.OptionalBlob(3), std::nullopt);
      } else {
        EXPECT_TRUE(row.Bool(0));
        EXPECT_EQ(row.Text(2), "");  // An empty text is not NULL.
        EXPECT_EQ(row.Blob(3), "");
      }
    });
  }));
  EXPECT_EQ(rows, 3);
}

TEST_P(DatabaseTest, WrongReadOfARowFailsTheQuery) {
  ASSERT_OK(AddPerson(*database_, "ada", 36));
  const auto read = [&](auto reader_of_row) {
    return database_->Read([&](Reader& reader) {
      return reader.QueryOne("SELECT id,NULL,5000000000 FROM person", reader_of_row);
    });
  };

  EXPECT_THAT(read([](const Row& row) { return row.Int64(0); }), FailsWithReason("ROW_MISMATCH"));
  EXPECT_THAT(read([](const Row& row) { return row.Text(1); }), FailsWithReason("ROW_MISMATCH"));
  EXPECT_THAT(read([](const Row& row) { return row.Int(2); }), FailsWithReason("ROW_MISMATCH"));
  EXPECT_THAT(read([](const Row& row) { return row.Text(3); }), FailsWithReason("ROW_MISMATCH"));
  EXPECT_THAT(read([](const Row& row) { return row.Int64(2); }), IsOkAndHolds(5'000'000'000));
}

TEST_P(DatabaseTest, ReaderOfRowsMayRefuseOne) {
  ASSERT_OK(AddPerson(*database_, "ada", 36));

  EXPECT_THAT(database_->Read([](Reader& reader) {
    return reader.Query(kSelectAges, [](const Row&) -> absl::StatusOr<int> {
      return absl::DataLossError("unknown state");
    });
  }),
              StatusIs(absl::StatusCode::kDataLoss));
}

TEST_P(DatabaseTest, FindOneAndQueryOneCountRows) {
  const auto find = [&] {
    return database_->Read([](Reader& reader) { return reader.FindOne(kSelectAges, ReadInt64); });
  };
  const auto query = [&] {
    return database_->Read([](Reader& reader) { return reader.QueryOne(kSelectAges, ReadInt64); });
  };

  EXPECT_THAT(find(), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(query(), FailsWithReason("ROW_COUNT"));
  ASSERT_OK(AddPerson(*database_, "ada", 36));
  EXPECT_THAT(find(), IsOkAndHolds(Optional(36)));
  EXPECT_THAT(query(), IsOkAndHolds(36));
  ASSERT_OK(AddPerson(*database_, "bob", 37));
  EXPECT_THAT(find(), FailsWithReason("ROW_COUNT"));
  EXPECT_THAT(query(), FailsWithReason("ROW_COUNT"));
}

TEST_P(DatabaseTest, StatementMayRunInsideItsOwnLoop) {
  ASSERT_OK(AddPerson(*database_, "ada", 1));
  ASSERT_OK(AddPerson(*database_, "bob", 2));

  std::vector<int64_t> seen;
  ASSERT_OK(database_->Read([&](Reader& reader) {
    return reader.ForEach(kSelectAges, [&](const Row& outer) {
      return reader.ForEach(
          kSelectAges, [&](const Row& inner) { seen.push_back(outer.Int64(0) * inner.Int64(0)); });
    });
  }));

  EXPECT_THAT(seen, ElementsAre(1, 2, 2, 4));
}

TEST_P(DatabaseTest, ChangesCountsTheLastStatement) {
  ASSERT_OK(AddPerson(*database_, "ada", 1));
  ASSERT_OK(AddPerson(*database_, "bob", 2));

  ASSERT_OK(database_->Write([](Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(transaction.Execute("UPDATE person SET age=age+?", 1));
    EXPECT_EQ(transaction.changes(), 2);
    RETURN_IF_ERROR(transaction.Execute("UPDATE person SET age=? WHERE id=?", 1, "cyd"));
    EXPECT_EQ(transaction.changes(), 0);
    return absl::OkStatus();
  }));
}

TEST_P(DatabaseTest, FullDiskIsNamedAndLeavesTheDatabaseUsable) {
  const std::string path = path_ == ":memory:" ? path_ : directory_.File("small.db");
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database,
                       Database::Open(path, {.migrations = kMigrations, .pages_max = 20}));
  const std::string text(8'000, 'x');

  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) {
    status = database->Write([&](Transaction& transaction) {
      return transaction.Execute(kInsertValue, i, 0.0, text, Blob{});
    });
  }

  EXPECT_THAT(status, FailsWithReason("DISK_FULL"));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_OK(database->Write(
      [](Transaction& transaction) { return transaction.Execute("DELETE FROM value"); }));
  EXPECT_OK(AddPerson(*database, "ada", 36));
}

TEST_P(DatabaseTest, TransactionThatWasRolledBackDoesNotWriteOn) {
  const absl::Status status = database_->Write([](Transaction& transaction) -> absl::Status {
    // OR ROLLBACK stands for the failures after which SQLite rolls back on its own.
    RETURN_IF_ERROR(transaction.Execute(kInsertPerson, "ada", 1));
    EXPECT_FALSE(
        transaction.Execute("INSERT OR ROLLBACK INTO person(id,age) VALUES('ada',2)").ok());
    const absl::Status next = transaction.Execute(kInsertPerson, "bob", 3);
    EXPECT_THAT(next, FailsWithReason("TRANSACTION_ROLLED_BACK"));
    EXPECT_THAT(transaction.Nested([] { return absl::OkStatus(); }),
                FailsWithReason("TRANSACTION_ROLLED_BACK"));
    return absl::OkStatus();
  });

  EXPECT_THAT(status, FailsWithReason("TRANSACTION_ROLLED_BACK"));
  EXPECT_THAT(CountPeople(*database_), IsOkAndHolds(0));
}

TEST_P(DatabaseTest, ConcurrentReadersAndWritersSeeWholeTransactions) {
  constexpr int kWrites = 100;
  std::atomic<bool> done = false;
  std::atomic<int> torn = 0;
  std::vector<std::thread> threads;
  for (int w = 0; w < 2; ++w) {
    threads.emplace_back([&, w] {
      for (int i = 0; i < kWrites; ++i) {
        EXPECT_OK(database_->Write([&](Transaction& transaction) -> absl::Status {
          RETURN_IF_ERROR(transaction.Execute(kInsertPerson, absl::StrCat(w, "-", i, "-a"), i));
          return transaction.Execute(kInsertPerson, absl::StrCat(w, "-", i, "-b"), i);
        }));
      }
    });
  }
  for (int r = 0; r < 6; ++r) {
    threads.emplace_back([&] {
      while (!done) {
        EXPECT_OK(database_->Read([&](Reader& reader) -> absl::Status {
          ASSIGN_OR_RETURN(const int64_t first, reader.QueryOne(kCountPeople, ReadInt64));
          ASSIGN_OR_RETURN(const int64_t second, reader.QueryOne(kCountPeople, ReadInt64));
          if (first % 2 != 0 || first != second) ++torn;
          return absl::OkStatus();
        }));
      }
    });
  }
  threads[0].join();
  threads[1].join();
  done = true;
  for (size_t i = 2; i < threads.size(); ++i) threads[i].join();

  EXPECT_EQ(torn, 0);
  EXPECT_THAT(CountPeople(*database_), IsOkAndHolds(4 * kWrites));
}

}  // namespace
}  // namespace slipway::sqlite
