#include "lib/sandbox/workspace_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::sandbox {
namespace {

using testkit::FailsWithReason;

class WorkspaceLockTest : public ::testing::Test {
 protected:
  void MakeLeftover(const std::string& name) {
    ASSERT_OK(base::MakeDirectories(Path(name) + "/tree/a", 0755));
    ASSERT_OK(base::WriteFileAtomic(Path(name) + "/tree/a/file", "x"));
    ASSERT_OK(base::WriteFileAtomic(Path(name) + ".lock", ""));
  }
  std::string Path(const std::string& name) const { return directory_.File(name); }
  bool Exists(const std::string& name) const { return access(Path(name).c_str(), F_OK) == 0; }

  testkit::TemporaryDirectory directory_;
};

TEST_F(WorkspaceLockTest, ASweepRemovesWhatTheDeadLeft) {
  MakeLeftover("a");
  MakeLeftover("b");
  ASSERT_OK_AND_ASSIGN(const Swept swept, SweepWorkspaces(directory_.path()));
  EXPECT_EQ(swept.removed, 2);
  EXPECT_EQ(swept.problem, "");
  for (const char* name : {"a", "a.lock", "b", "b.lock"}) EXPECT_FALSE(Exists(name)) << name;
}

TEST_F(WorkspaceLockTest, ASweepLeavesWhatIsInUseAndWhatIsNoWorkspace) {
  MakeLeftover("used");
  ASSERT_OK(base::MakeDirectories(Path("other"), 0755));
  ASSERT_OK_AND_ASSIGN(const base::UniqueFd lock, LockWorkspace(Path("used")));
  ASSERT_OK_AND_ASSIGN(const Swept swept, SweepWorkspaces(directory_.path()));
  EXPECT_EQ(swept.removed, 0);
  for (const char* name : {"used/tree/a/file", "used.lock", "other"}) EXPECT_TRUE(Exists(name));
}

TEST_F(WorkspaceLockTest, AWorkspaceIsLockedOnce) {
  ASSERT_OK_AND_ASSIGN(const base::UniqueFd lock, LockWorkspace(Path("a")));
  EXPECT_THAT(LockWorkspace(Path("a")), FailsWithReason("LOCKED"));
}

TEST_F(WorkspaceLockTest, ASweepFollowsNoLink) {
  MakeLeftover("a");
  ASSERT_OK(base::MakeDirectories(Path("precious"), 0755));
  ASSERT_OK(base::WriteFileAtomic(Path("precious/file"), "kept"));
  ASSERT_EQ(symlink(Path("precious").c_str(), Path("a/tree/link").c_str()), 0);
  // A link in the place of a workspace, and one in the place of a lock file.
  ASSERT_EQ(symlink(Path("precious").c_str(), Path("b").c_str()), 0);
  ASSERT_OK(base::WriteFileAtomic(Path("b.lock"), ""));
  ASSERT_EQ(symlink(Path("precious/file").c_str(), Path("c.lock").c_str()), 0);

  ASSERT_OK_AND_ASSIGN(const Swept swept, SweepWorkspaces(directory_.path()));

  EXPECT_EQ(swept.removed, 1);
  EXPECT_NE(swept.problem, "");
  EXPECT_FALSE(Exists("a"));
  EXPECT_THAT(base::ReadFile(Path("precious/file")), testkit::IsOkAndHolds("kept"));
}

TEST_F(WorkspaceLockTest, AMissingDirectoryHasNothingToSweep) {
  ASSERT_OK_AND_ASSIGN(const Swept swept, SweepWorkspaces(Path("nowhere")));
  EXPECT_EQ(swept.removed, 0);
}

TEST_F(WorkspaceLockTest, NoSweepTakesAWorkspaceFromItsOwner) {
  std::atomic<bool> done = false;
  std::thread sweeper([&] {
    while (!done) EXPECT_OK(SweepWorkspaces(directory_.path()).status());
  });
  for (int i = 0; i < 300; ++i) {
    const std::string name = absl::StrCat("w", i);
    const absl::StatusOr<base::UniqueFd> lock = LockWorkspace(Path(name));
    if (!lock.ok()) {
      // Ten sweeps came between in a row; that it is said is what counts.
      EXPECT_THAT(lock, FailsWithReason("LOCKED"));
      continue;
    }
    EXPECT_EQ(mkdir(Path(name).c_str(), 0700), 0);
    EXPECT_OK(base::WriteFileAtomic(Path(name + "/file"), "mine"));
    EXPECT_TRUE(Exists(name + "/file"));
    EXPECT_TRUE(Exists(name + ".lock"));
  }
  done = true;
  sweeper.join();
}

}  // namespace
}  // namespace slipway::sandbox
