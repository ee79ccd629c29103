// What only a database on disk has: files, migrations of old ones, other processes, damage.
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/sqlite/database.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::sqlite {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::IsOkAndHolds;
using ::testing::HasSubstr;

constexpr Migration kMigrations[] = {
    {1, "CREATE TABLE person(id TEXT PRIMARY KEY NOT NULL, age INTEGER NOT NULL) STRICT"},
    {2, "CREATE TABLE pet(id TEXT PRIMARY KEY NOT NULL) STRICT"},
};

constexpr Sql kInsertPerson = "INSERT INTO person(id,age) VALUES(?,?)";
constexpr Sql kCountPeople = "SELECT count(*) FROM person";

int64_t ReadInt64(const Row& row) { return row.Int64(0); }

absl::Status AddPerson(Database& database, const std::string& id, int age) {
  return database.Write(
      [&](Transaction& transaction) { return transaction.Execute(kInsertPerson, id, age); });
}

absl::StatusOr<int64_t> CountPeople(Database& database) {
  return database.Read([](Reader& reader) { return reader.QueryOne(kCountPeople, ReadInt64); });
}

class DatabaseFileTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Database>> Open(Options options = {.migrations = kMigrations}) {
    return Database::Open(path_, options);
  }

  testkit::TemporaryDirectory directory_;
  const std::string path_ = directory_.File("test.db");
};

TEST_F(DatabaseFileTest, ContentOutlivesTheObject) {
  ASSERT_OK(AddPerson(*Open().value(), "ada", 36));

  EXPECT_THAT(CountPeople(*Open().value()), IsOkAndHolds(1));
}

TEST_F(DatabaseFileTest, OnlyTheOwnerMayReadTheFiles) {
  const std::unique_ptr<Database> database = Open().value();
  ASSERT_OK(AddPerson(*database, "ada", 36));

  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat file {};
    ASSERT_EQ(stat((path_ + suffix).c_str(), &file), 0) << suffix;
    EXPECT_EQ(file.st_mode & 0777, 0600u) << suffix;
  }
}

TEST_F(DatabaseFileTest, MissingMigrationsAreApplied) {
  ASSERT_OK(AddPerson(*Open({.migrations = absl::MakeSpan(kMigrations, 1)}).value(), "ada", 36));

  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database, Open());

  EXPECT_EQ(database->schema_version(), 2);
  EXPECT_THAT(CountPeople(*database), IsOkAndHolds(1));
}

TEST_F(DatabaseFileTest, FailedMigrationLeavesTheOldSchema) {
  constexpr Migration kBroken[] = {kMigrations[0], {2, "CREATE TABLE a(x INTEGER) STRICT; BROKEN"}};
  ASSERT_OK(Open({.migrations = absl::MakeSpan(kMigrations, 1)}));

  const auto broken = Open({.migrations = kBroken});

  EXPECT_THAT(broken.status().message(), HasSubstr("migration 2"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database,
                       Open({.migrations = absl::MakeSpan(kMigrations, 1)}));
  EXPECT_EQ(database->schema_version(), 1);
  EXPECT_THAT(database->Read([](Reader& reader) {
    return reader.QueryOne("SELECT count(*) FROM sqlite_schema WHERE name='a'", ReadInt64);
  }),
              IsOkAndHolds(0));
}

TEST_F(DatabaseFileTest, NewerSchemaIsRefusedAndKept) {
  ASSERT_OK(Open());

  EXPECT_THAT(Open({.migrations = absl::MakeSpan(kMigrations, 1)}),
              FailsWithReason("SCHEMA_NEWER"));
  EXPECT_EQ(Open().value()->schema_version(), 2);
}

TEST_F(DatabaseFileTest, MigrationsMustCountFromOne) {
  EXPECT_THAT(Open({.migrations = absl::MakeSpan(kMigrations + 1, 1)}),
              FailsWithReason("MIGRATIONS_INVALID"));
}

TEST_F(DatabaseFileTest, ReadOnlyReadsAndRefusesToWrite) {
  const std::unique_ptr<Database> writer = Open().value();
  ASSERT_OK(AddPerson(*writer, "ada", 36));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database,
                       Open({.migrations = kMigrations, .read_only = true}));

  EXPECT_THAT(CountPeople(*database), IsOkAndHolds(1));
  EXPECT_THAT(AddPerson(*database, "bob", 37), FailsWithReason("DATABASE_READ_ONLY"));
}

TEST_F(DatabaseFileTest, ReadOnlyNeedsAFileWithTheSchema) {
  EXPECT_THAT(Open({.migrations = kMigrations, .read_only = true}),
              FailsWithReason("DATABASE_NOT_OPENED"));
  ASSERT_OK(Open({.migrations = absl::MakeSpan(kMigrations, 1)}));

  EXPECT_THAT(Open({.migrations = kMigrations, .read_only = true}),
              FailsWithReason("SCHEMA_OLDER"));
}

TEST_F(DatabaseFileTest, ExclusiveRefusesASecond) {
  const auto first = Open({.migrations = kMigrations, .exclusive = true});
  ASSERT_OK(first);

  EXPECT_THAT(Open({.migrations = kMigrations, .exclusive = true}), FailsWithReason("LOCKED"));
}

TEST_F(DatabaseFileTest, FileThatIsNoDatabaseIsRefused) {
  ASSERT_OK(base::WriteFileAtomic(path_, std::string(8'192, 'x')));

  EXPECT_THAT(Open(), FailsWithReason("DATABASE_CORRUPT"));
}

TEST_F(DatabaseFileTest, DamageIsFound) {
  {
    const std::unique_ptr<Database> database = Open().value();
    for (int i = 0; i < 500; ++i) ASSERT_OK(AddPerson(*database, absl::StrCat("person-", i), i));
    EXPECT_OK(database->CheckIntegrity());
  }
  std::string content = base::ReadFile(path_).value();
  ASSERT_GT(content.size(), 5u * 4'096);
  for (size_t i = 2 * 4'096; i < content.size(); ++i) content[i] = '\x7f';
  ASSERT_OK(base::WriteFileAtomic(path_, content));

  EXPECT_THAT(Open().value()->CheckIntegrity(), FailsWithReason("DATABASE_CORRUPT"));
}

// How often the log was begun again, by its header.
std::string LogGeneration(const std::string& path) {
  return base::ReadFile(path + "-wal").value_or("").substr(0, 24);
}

TEST_F(DatabaseFileTest, TheLogIsCarriedOverBesideTheWriter) {
  constexpr int kPages = 1'000;
  const Options options = {.migrations = kMigrations,
                           .gather_log = true,
                           .checkpoint_pages = kPages,
                           .checkpoint_apart = true};
  int people = 0;
  {
    const std::unique_ptr<Database> database = Open(options).value();
    const auto add = [&] {
      const std::string name(40'000, 'a');  // Some ten pages, so that few commits fill the log.
      return AddPerson(*database, absl::StrCat(++people, name), 36);
    };
    ASSERT_OK(add());
    const std::string first = LogGeneration(path_);
    while (LogGeneration(path_) == first) ASSERT_OK(add());
    // A writer would have done it at four times the pages.
    struct stat log {};
    ASSERT_EQ(stat((path_ + "-wal").c_str(), &log), 0);
    EXPECT_GE(log.st_size, int64_t{kPages} * 4'096);
    EXPECT_LT(log.st_size, int64_t{4 * kPages} * 4'096);
    EXPECT_THAT(CountPeople(*database), IsOkAndHolds(people));
    EXPECT_OK(database->CheckIntegrity());
  }
  EXPECT_THAT(CountPeople(*Open(options).value()), IsOkAndHolds(people));
}

TEST_F(DatabaseFileTest, LockOfAnotherProcessIsBusy) {
  const std::unique_ptr<Database> database =
      Open({.migrations = kMigrations, .busy_timeout = absl::ZeroDuration()}).value();
  const std::unique_ptr<Database> other = Open().value();

  absl::Status status;
  ASSERT_OK(other->Write([&](Transaction&) {
    status = AddPerson(*database, "ada", 36);
    return absl::OkStatus();
  }));

  EXPECT_THAT(status, FailsWithReason("DATABASE_BUSY"));
}

}  // namespace
}  // namespace slipway::sqlite
