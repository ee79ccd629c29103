#include "lib/faultdisk/fault_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway::faultdisk {
namespace {

using ::testing::AnyOf;

class FaultDiskTest : public ::testing::Test {
 protected:
  // A file whose name and `content` are durable.
  std::shared_ptr<File> Make(FaultDisk& disk, const std::string& content) {
    std::shared_ptr<File> file;
    EXPECT_EQ(disk.Open("f", /*create=*/true, file), Outcome::kDone);
    EXPECT_EQ(disk.Write(*file, 0, content), Outcome::kDone);
    EXPECT_EQ(disk.Sync(*file, /*directory_synced=*/true), Outcome::kDone);
    return file;
  }

  std::string ContentOf(FaultDisk& disk) {
    std::shared_ptr<File> file;
    return disk.Open("f", /*create=*/false, file) == Outcome::kDone ? file->content : "missing";
  }
};

TEST_F(FaultDiskTest, SyncedWriteSurvivesEveryPowerLoss) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    FaultDisk disk(seed);
    Make(disk, "kept");
    disk.Restart(/*lose_power=*/true);
    EXPECT_EQ(ContentOf(disk), "kept");
  }
}

TEST_F(FaultDiskTest, UnsyncedWriteIsLostKeptOrTornByThePowerLossOnly) {
  const std::string old_text(1'024, 'a');
  const std::string new_text(1'024, 'b');
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    FaultDisk disk(seed);
    const std::shared_ptr<File> file = Make(disk, old_text);
    ASSERT_EQ(disk.Write(*file, 0, new_text), Outcome::kDone);
    disk.Restart();
    EXPECT_EQ(ContentOf(disk), new_text) << "a process that ends loses nothing";
    disk.Restart(/*lose_power=*/true);
    seen.insert(ContentOf(disk));
  }
  const std::string a(512, 'a');
  const std::string b(512, 'b');
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre(a + a, b + b, a + b, b + a));
}

TEST_F(FaultDiskTest, LaterWriteMayReachTheDiskWithoutAnEarlierOne) {
  bool reordered = false;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    FaultDisk disk(seed);
    const std::shared_ptr<File> file = Make(disk, "--");
    ASSERT_EQ(disk.Write(*file, 0, "1"), Outcome::kDone);
    ASSERT_EQ(disk.Write(*file, 1, "2"), Outcome::kDone);
    disk.Restart(/*lose_power=*/true);
    reordered = reordered || ContentOf(disk) == "-2";
  }
  EXPECT_TRUE(reordered);
}

TEST_F(FaultDiskTest, NameIsLostUnlessItsDirectoryWasSynced) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    FaultDisk disk(seed);
    std::shared_ptr<File> file;
    ASSERT_EQ(disk.Open("f", true, file), Outcome::kDone);
    ASSERT_EQ(disk.Write(*file, 0, "x"), Outcome::kDone);
    ASSERT_EQ(disk.Sync(*file, /*directory_synced=*/false), Outcome::kDone);
    disk.Restart(/*lose_power=*/true);
    seen.insert(ContentOf(disk));
  }
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre("x", "missing"));
}

TEST_F(FaultDiskTest, PlanComesTrueAtItsAccess) {
  FaultDisk disk(1);
  const std::shared_ptr<File> file = Make(disk, "x");
  disk.Arm({.fault = Fault::kIoError, .accesses = {Access::kSync}, .countdown = 2});
  EXPECT_EQ(disk.Write(*file, 0, "y"), Outcome::kDone);
  EXPECT_EQ(disk.Sync(*file, false), Outcome::kDone);
  EXPECT_FALSE(disk.tripped());
  EXPECT_EQ(disk.Sync(*file, false), Outcome::kIoError);
  EXPECT_TRUE(disk.tripped());
  EXPECT_EQ(disk.Sync(*file, false), Outcome::kDone) << "it comes true once";
}

TEST_F(FaultDiskTest, NothingWorksBetweenTheCrashAndTheRestart) {
  FaultDisk disk(1);
  const std::shared_ptr<File> file = Make(disk, "x");
  disk.Arm({.fault = Fault::kKill, .accesses = {Access::kWrite}});
  EXPECT_EQ(disk.Write(*file, 0, "y"), Outcome::kIoError);
  EXPECT_TRUE(disk.dead());
  EXPECT_EQ(disk.Sync(*file, false), Outcome::kIoError);
  disk.Restart();
  EXPECT_THAT(ContentOf(disk), AnyOf("x", "y"));
}

TEST_F(FaultDiskTest, FullDiskRefusesGrowthAndNothingElse) {
  FaultDisk disk(1);
  const std::shared_ptr<File> file = Make(disk, "xx");
  disk.Arm({.fault = Fault::kDiskFull, .accesses = {Access::kWrite}});
  EXPECT_EQ(disk.Write(*file, 2, "y"), Outcome::kDiskFull);
  EXPECT_EQ(disk.Write(*file, 0, "y"), Outcome::kDone);
  disk.Disarm();
  EXPECT_EQ(disk.Write(*file, 2, "y"), Outcome::kDone);
}

TEST_F(FaultDiskTest, LyingSyncKeepsNothing) {
  bool lost = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    FaultDisk disk(seed, {.syncs_lie = true});
    Make(disk, "x");
    disk.Restart(/*lose_power=*/true);
    lost = lost || ContentOf(disk) != "x";
  }
  EXPECT_TRUE(lost);
}

}  // namespace
}  // namespace slipway::faultdisk
