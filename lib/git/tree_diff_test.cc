#include "lib/git/tree_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/git/git_fixture.h"

namespace slipway::git {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

class TreeDiffTest : public GitFixture {
 protected:
  void SetUp() override {
    WriteFile(path_ + "/same/f", "same\n");
    WriteFile(path_ + "/edit", "1\n2\n3\n");
    WriteFile(path_ + "/gone", "gone\n");
    WriteFile(path_ + "/swap", "file\n");
    WriteFile(path_ + "/binary", std::string("a\0b", 3));
    before_ = Tree(CommitAll(path_, "before"));
    WriteFile(path_ + "/edit", "1\ntwo\n3\n");
    WriteFile(path_ + "/new file", "");
    WriteFile(path_ + "/binary", std::string("a\0c", 3));
    Git(path_, {"rm", "-q", "gone", "swap"});
    WriteFile(path_ + "/swap/inner", "file\n");
    Git(path_, {"add", "-A"});
    Git(path_, {"update-index", "--chmod=+x", "edit"});
    Git(path_, {"commit", "-q", "-m", "after"});
    after_ = Tree(GitOid(path_, {"rev-parse", "HEAD"}));
    repository_ = Repository::Open(path_).value();
  }

  Oid Tree(const Oid& commit) { return GitOid(path_, {"rev-parse", commit.ToHex() + "^{tree}"}); }

  const std::string path_ = MakeWorkRepository("work");
  Oid before_;
  Oid after_;
  std::optional<Repository> repository_;
};

TEST_F(TreeDiffTest, ChangedPathsAreThoseOfGit) {
  ASSERT_OK_AND_ASSIGN(const auto changes, ChangedPaths(*repository_, before_, after_, 100));
  std::string paths;
  for (const ChangedPath& change : changes) {
    absl::StrAppend(&paths,
                    change.added()     ? "A"
                    : change.deleted() ? "D"
                                       : "M",
                    "\t", change.path, "\n");
  }
  EXPECT_EQ(absl::StripAsciiWhitespace(paths),
            Git(path_, {"diff-tree", "-r", "--name-status", "--no-renames", before_.ToHex(),
                        after_.ToHex()}));
  EXPECT_THAT(ChangedPaths(*repository_, before_, after_, 2), FailsWithReason("LIST_TOO_LONG"));
  ASSERT_OK_AND_ASSIGN(const auto none, ChangedPaths(*repository_, after_, after_, 1));
  EXPECT_TRUE(none.empty());
}

TEST_F(TreeDiffTest, MachineDiffRoundTripsToTheSameTree) {
  ASSERT_OK_AND_ASSIGN(const std::string diff,
                       MachineDiff(*repository_, before_, after_, 1u << 20));
  Git(path_, {"read-tree", before_.ToHex()});
  Git(path_, {"apply", "--cached"}, diff);
  EXPECT_EQ(GitOid(path_, {"write-tree"}), after_);
  EXPECT_EQ(diff, RunGit(path_, {"diff-tree", "-r", "-p", "--binary", "--full-index",
                                 "--no-renames", before_.ToHex(), after_.ToHex()})
                      .out);
  EXPECT_THAT(MachineDiff(*repository_, before_, after_, 20),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(TreeDiffTest, RepositoryConfigurationDoesNotChangeTheMachineDiff) {
  ASSERT_OK_AND_ASSIGN(const std::string plain,
                       MachineDiff(*repository_, before_, after_, 1u << 20));
  Git(path_, {"config", "diff.noprefix", "true"});
  Git(path_, {"config", "color.ui", "always"});
  Git(path_, {"config", "diff.external", "/bin/false"});
  EXPECT_EQ(MachineDiff(*repository_, before_, after_, 1u << 20).value(), plain);
}

TEST_F(TreeDiffTest, TextForPeopleShowsEveryFile) {
  ASSERT_OK_AND_ASSIGN(const DiffText diff, FormatDiff(*repository_, before_, after_, 1u << 20));
  EXPECT_FALSE(diff.truncated);
  EXPECT_THAT(diff.text, HasSubstr("diff --git a/edit b/edit\nold mode 100644\nnew mode 100755\n"
                                   "--- a/edit\n+++ b/edit\n@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n"));
  EXPECT_THAT(diff.text, HasSubstr("Binary files a/binary and b/binary differ\n"));
  EXPECT_THAT(diff.text, HasSubstr("diff --git a/new file b/new file\nnew file mode 100644\n"));
  EXPECT_THAT(diff.text, HasSubstr("--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n"));
  EXPECT_THAT(diff.text, Not(HasSubstr("same")));
}

TEST_F(TreeDiffTest, TextForPeopleIsCutAtALine) {
  ASSERT_OK_AND_ASSIGN(const DiffText diff, FormatDiff(*repository_, before_, after_, 60));
  EXPECT_TRUE(diff.truncated);
  EXPECT_LE(diff.text.size(), 60u);
  EXPECT_EQ(diff.text.back(), '\n');
}

}  // namespace
}  // namespace slipway::git
