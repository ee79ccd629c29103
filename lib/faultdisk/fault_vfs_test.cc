#include "lib/faultdisk/fault_vfs.h"

#include <gtest/gtest.h>

#include "lib/sqlite/database.h"
#include "lib/testkit/matchers.h"

namespace slipway::faultdisk {
namespace {

using sqlite::Database;
using sqlite::Reader;
using sqlite::Row;
using sqlite::Sql;
using sqlite::Transaction;

constexpr sqlite::Migration kTables[] = {{1, "CREATE TABLE item(id INTEGER PRIMARY KEY) STRICT"}};
constexpr Sql kAddItem = "INSERT INTO item(id) VALUES(?)";
constexpr Sql kCountItems = "SELECT COUNT(*) FROM item";

class FaultVfsTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  absl::StatusOr<std::unique_ptr<Database>> Open() {
    return Database::Open("items.db", {.migrations = kTables, .vfs = vfs_.name()});
  }
  static absl::Status Add(Database& database, int64_t id) {
    return database.Write(
        [id](Transaction& transaction) { return transaction.Execute(kAddItem, id); });
  }
  static absl::StatusOr<int64_t> Count(Database& database) {
    return database.Read([](Reader& reader) {
      return reader.QueryOne(kCountItems, [](const Row& row) { return row.Int64(0); });
    });
  }
  void Restart(bool lose_power) {
    disk_.Die();
    database_.reset();
    vfs_.Restart();
    disk_.Restart(lose_power);
  }

  FaultDisk disk_{GetParam()};
  FaultVfs vfs_{disk_};
  std::unique_ptr<Database> database_;
};

TEST_P(FaultVfsTest, AcknowledgedWriteSurvivesThePowerLoss) {
  ASSERT_OK_AND_ASSIGN(database_, Open());
  int64_t acknowledged = 0;
  disk_.Arm({.fault = Fault::kPowerLoss,
             .accesses = {Access::kWrite, Access::kSync},
             .countdown = 1 + static_cast<int>(GetParam())});
  while (Add(*database_, acknowledged + 1).ok()) ++acknowledged;
  Restart(false);
  ASSERT_OK_AND_ASSIGN(database_, Open());
  ASSERT_OK_AND_ASSIGN(const int64_t count, Count(*database_));
  EXPECT_GE(count, acknowledged);
  EXPECT_LE(count, acknowledged + 1);
}

// Killed between the write and the sync of a commit: the next process reads it from the cache of
// the system, tells of it, and then the power goes.
TEST_P(FaultVfsTest, WhatARestartFoundSurvivesAPowerLoss) {
  ASSERT_OK_AND_ASSIGN(database_, Open());
  ASSERT_OK(Add(*database_, 1));
  disk_.Arm({.fault = Fault::kKill, .accesses = {Access::kSync}});
  EXPECT_FALSE(Add(*database_, 2).ok());
  Restart(false);
  ASSERT_OK_AND_ASSIGN(database_, Open());
  ASSERT_OK_AND_ASSIGN(const int64_t found, Count(*database_));
  EXPECT_EQ(found, 2);
  Restart(true);
  ASSERT_OK_AND_ASSIGN(database_, Open());
  EXPECT_THAT(Count(*database_), ::slipway::testkit::IsOkAndHolds(found));
}

// Without a log the deletion of the journal is not durable: it would undo the last commit.
TEST_P(FaultVfsTest, ReadErrorWhileTheFileIsMadeDoesNotLeaveItWithoutALog) {
  disk_.Arm({.fault = Fault::kIoError,
             .accesses = {Access::kRead},
             .countdown = 1 + static_cast<int>(GetParam()) % 8});
  absl::StatusOr<std::unique_ptr<Database>> opened = Open();
  disk_.Disarm();
  if (!opened.ok()) opened = Open();
  ASSERT_OK_AND_ASSIGN(database_, std::move(opened));
  ASSERT_OK(Add(*database_, 1));
  EXPECT_TRUE(disk_.Exists("items.db-wal"));
  Restart(true);
  ASSERT_OK_AND_ASSIGN(database_, Open());
  EXPECT_THAT(Count(*database_), ::slipway::testkit::IsOkAndHolds(1));
}

INSTANTIATE_TEST_SUITE_P(, FaultVfsTest, ::testing::Range<uint64_t>(0, 24));

}  // namespace
}  // namespace slipway::faultdisk
