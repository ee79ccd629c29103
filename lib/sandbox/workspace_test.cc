#include "lib/sandbox/workspace.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/requirement.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::sandbox {
namespace {

using ::slipway::testkit::FailsWithReason;

class WorkspaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(base::MakeDirectories(workspace_ + "/a/b"));
    ASSERT_OK(base::WriteFileAtomic(outside_, "kept"));
  }

  uid_t OwnerOf(const std::string& path) const {
    struct stat status;
    return lstat(path.c_str(), &status) == 0 ? status.st_uid : static_cast<uid_t>(-1);
  }

  testkit::TemporaryDirectory directory_;
  const std::string workspace_ = directory_.File("ws");
  const std::string outside_ = directory_.File("outside");
};

TEST_F(WorkspaceTest, PrepareGivesLinksAwayButNotWhatTheyPointTo) {
  SLIPWAY_NEEDS(geteuid() == 0, "needs root to give files away");
  ASSERT_EQ(symlink(outside_.c_str(), (workspace_ + "/a/link").c_str()), 0);
  ASSERT_OK(PrepareWorkspace(workspace_));
  EXPECT_EQ(OwnerOf(workspace_ + "/a/b"), kDefaultUid);
  EXPECT_EQ(OwnerOf(workspace_ + "/a/link"), kDefaultUid);
  EXPECT_EQ(OwnerOf(outside_), 0u);
}

TEST_F(WorkspaceTest, PrepareRefusesAHardLinkToAFileOutside) {
  SLIPWAY_NEEDS(geteuid() == 0, "needs root to give files away");
  ASSERT_EQ(link(outside_.c_str(), (workspace_ + "/a/link").c_str()), 0);
  EXPECT_THAT(PrepareWorkspace(workspace_), FailsWithReason("SANDBOX_WORKSPACE_UNSAFE"));
  EXPECT_EQ(OwnerOf(outside_), 0u);
}

TEST_F(WorkspaceTest, NeitherFollowsALinkInPlaceOfTheWorkspace) {
  const std::string link = directory_.File("link");
  ASSERT_EQ(symlink(workspace_.c_str(), link.c_str()), 0);
  EXPECT_FALSE(RemoveWorkspace(link).ok());
  EXPECT_EQ(access((workspace_ + "/a/b").c_str(), F_OK), 0);
}

TEST_F(WorkspaceTest, RemoveLeavesWhatLinksPointTo) {
  ASSERT_EQ(symlink(directory_.path().c_str(), (workspace_ + "/up").c_str()), 0);
  ASSERT_EQ(chmod((workspace_ + "/a/b").c_str(), 0), 0);
  ASSERT_OK(RemoveWorkspace(workspace_));
  EXPECT_NE(access(workspace_.c_str(), F_OK), 0);
  EXPECT_EQ(access(outside_.c_str(), F_OK), 0);
  EXPECT_OK(RemoveWorkspace(workspace_));
}

TEST_F(WorkspaceTest, RemoveHandlesTreesDeeperThanItsDescriptors) {
  const std::string home = std::string(get_current_dir_name());
  ASSERT_EQ(chdir(workspace_.c_str()), 0);
  for (int depth = 0; depth < 700; ++depth) {
    ASSERT_EQ(mkdir("deep", 0700), 0);
    ASSERT_EQ(chdir("deep"), 0);
  }
  ASSERT_EQ(chdir(home.c_str()), 0);
  EXPECT_OK(RemoveWorkspace(workspace_));
  EXPECT_NE(access(workspace_.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace slipway::sandbox
