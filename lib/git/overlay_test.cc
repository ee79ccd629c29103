#include "lib/git/overlay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "lib/git/git_fixture.h"

namespace slipway::git {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::IsOkAndHolds;

class OverlayTest : public GitFixture {
 protected:
  OverlayTest() : repository_(Repository::InitBare(path_, {}).value()), overlay_(repository_) {}

  FileChange File(absl::string_view content, uint32_t mode = kModeFile) {
    return {.mode = mode, .oid = overlay_.PutBlob(content).value()};
  }

  const std::string path_ = directory_.File("mirror.git");
  Repository repository_;
  Overlay overlay_;
};

TEST_F(OverlayTest, NothingIsVisibleBeforePublishAndEverythingAfter) {
  const Oid tree = overlay_.WriteTree(Oid(), {{"a/b", File("text\n")}}).value();
  ASSERT_OK_AND_ASSIGN(
      const Oid commit,
      overlay_.PutCommit({.tree = tree, .author = Ada(), .committer = Ada(), .message = "one"}));
  EXPECT_FALSE(repository_.Contains(commit));
  EXPECT_TRUE(overlay_.Contains(commit));
  EXPECT_EQ(overlay_.pending_objects(), 4);

  ASSERT_OK(overlay_.Publish(repository_));

  EXPECT_EQ(overlay_.pending_objects(), 0);
  EXPECT_TRUE(repository_.Contains(commit));
  ASSERT_OK_AND_ASSIGN(const Repository other, Repository::OpenBare(path_));
  EXPECT_TRUE(other.Contains(tree));
  EXPECT_EQ(Git(path_, {"show", commit.ToHex() + ":a/b"}), "text");
  EXPECT_EQ(Git(path_, {"log", "-1", "--format=%an %ae %ad", "--date=raw", commit.ToHex()}),
            "Ada ada@example.com 1700000000 +0130");
  Git(path_, {"fsck", "--strict", "--no-dangling"});
}

TEST_F(OverlayTest, CommitIsTheOneThatGitMakes) {
  const Oid tree = overlay_.WriteTree(Oid(), {{"f", File("x")}}).value();
  ASSERT_OK_AND_ASSIGN(
      const Oid commit,
      overlay_.PutCommit({.tree = tree, .author = Ada(), .committer = Ada(), .message = "one"}));
  ASSERT_OK(overlay_.Publish(repository_));
  EXPECT_EQ(GitOid(path_, {"commit-tree", "-m", "one", tree.ToHex()}), commit);
}

TEST_F(OverlayTest, CommitTextCannotForgeHeaders) {
  const Oid tree = overlay_.WriteTree(Oid(), {}).value();
  Signature forged = Ada();
  forged.name = "x\nparent 0000";
  EXPECT_THAT(overlay_.PutCommit({.tree = tree, .author = forged, .committer = Ada()}),
              FailsWithReason("SIGNATURE_INVALID"));
  EXPECT_THAT(
      overlay_.PutCommit(
          {.tree = tree, .author = Ada(), .committer = Ada(), .message = std::string("a\0b", 3)}),
      FailsWithReason("MESSAGE_INVALID"));
}

TEST_F(OverlayTest, FileAndDirectorySwapInBothDirections) {
  const Oid file = overlay_.WriteTree(Oid(), {{"x", File("f")}, {"x.y", File("g")}}).value();
  const Oid directory =
      overlay_.WriteTree(Oid(), {{"x/a/b", File("f")}, {"x.y", File("g")}}).value();

  EXPECT_THAT(overlay_.WriteTree(file, {{"x", std::nullopt}, {"x/a/b", File("f")}}),
              IsOkAndHolds(directory));
  EXPECT_THAT(overlay_.WriteTree(directory, {{"x/a/b", std::nullopt}, {"x", File("f")}}),
              IsOkAndHolds(file));
  EXPECT_THAT(overlay_.WriteTree(file, {{"x/a/b", File("f")}}), FailsWithReason("PATH_CONFLICT"));
  EXPECT_THAT(overlay_.WriteTree(directory, {{"x", File("f")}}), FailsWithReason("PATH_CONFLICT"));
  EXPECT_THAT(overlay_.WriteTree(Oid(), {{"x", File("f")}, {"x/y", File("f")}}),
              FailsWithReason("PATH_CONFLICT"));
}

TEST_F(OverlayTest, RemovalNeedsAFileAndDropsEmptyDirectories) {
  const Oid tree = overlay_.WriteTree(Oid(), {{"a/b/c", File("1")}, {"d", File("2")}}).value();
  EXPECT_THAT(overlay_.WriteTree(tree, {{"a/b", std::nullopt}}), FailsWithReason("PATH_MISSING"));
  EXPECT_THAT(overlay_.WriteTree(tree, {{"a/b/x", std::nullopt}}), FailsWithReason("PATH_MISSING"));
  const Oid rest = overlay_.WriteTree(Oid(), {{"d", File("2")}}).value();
  EXPECT_THAT(overlay_.WriteTree(tree, {{"a/b/c", std::nullopt}}), IsOkAndHolds(rest));
  EXPECT_THAT(overlay_.WriteTree(rest, {{"d", std::nullopt}}),
              IsOkAndHolds(GitOid(path_, {"mktree"}, "")));
}

TEST_F(OverlayTest, BadPathsAndModesAreRefused) {
  for (const char* bad : {"", "/a", "a/", "a//b", ".", "../a", "a/./b", ".git/config", "a/.GIT"}) {
    EXPECT_THAT(overlay_.WriteTree(Oid(), {{bad, File("x")}}), FailsWithReason("PATH_INVALID"))
        << bad;
  }
  EXPECT_THAT(overlay_.WriteTree(Oid(), {{"a", File("x", 0100777)}}),
              FailsWithReason("MODE_INVALID"));
}

TEST_F(OverlayTest, UntouchedSiblingsKeepHistoricModesByteForByte) {
  const Oid blob = overlay_.PutBlob("x").value();
  const Oid sub = overlay_.WriteTree(Oid(), {{"f", FileChange{kModeFile, blob}}}).value();
  ASSERT_OK_AND_ASSIGN(
      const Oid base,
      overlay_.PutTree({{.name = "legacy", .mode = 0100664, .oid = blob},
                        {.name = "new", .oid = blob},
                        {.name = "padded", .mode = kModeTree, .oid = sub, .mode_width = 6}}));
  ASSERT_OK_AND_ASSIGN(const Oid changed, overlay_.WriteTree(base, {{"new", std::nullopt}}));

  ASSERT_OK_AND_ASSIGN(const Object object, overlay_.Read(changed, 1'000));
  EXPECT_EQ(object.bytes, absl::StrCat(absl::string_view("100664 legacy\0", 14), blob.bytes(),
                                       absl::string_view("040000 padded\0", 14), sub.bytes()));
}

TEST_F(OverlayTest, MemoryIsBounded) {
  Overlay small(repository_, 10);
  EXPECT_OK(small.PutBlob("12345"));
  EXPECT_THAT(small.PutBlob("678901"), FailsWithReason("OVERLAY_FULL"));
}

// Names that sort differently as files and as directories.
constexpr const char* kNames[] = {"a", "a.b", "a-b", "a0", "b", "b.c", "z"};

std::string RandomPath(Random& random) {
  std::string path = kNames[random.Below(std::size(kNames))];
  while (random.Below(3) != 0 && path.size() < 12) {
    absl::StrAppend(&path, "/", kNames[random.Below(std::size(kNames))]);
  }
  return path;
}

bool Clashes(const std::set<std::string>& paths, const std::string& path) {
  for (const std::string& other : paths) {
    if (absl::StartsWith(other, path + "/") || absl::StartsWith(path, other + "/")) return true;
  }
  return false;
}

TEST_F(OverlayTest, RandomEditsGiveTheTreesOfGit) {
  Random random(2026);
  std::set<std::string> paths;
  Oid tree;
  const Oid blobs[] = {overlay_.PutBlob("1").value(), overlay_.PutBlob("2").value(),
                       overlay_.PutBlob("3").value()};
  constexpr uint32_t kModes[] = {kModeFile, kModeExecutable, kModeSymlink};
  ASSERT_OK(overlay_.Publish(repository_));
  for (int step = 0; step < 150; ++step) {
    TreeChanges changes;
    std::string index_lines;
    for (const std::string& path : std::set<std::string>(paths)) {
      if (random.Below(4) != 0) continue;
      changes[path] = std::nullopt;
      absl::StrAppend(&index_lines, "0 ", Oid().ToHex(), "\t", path, "\n");
      paths.erase(path);
    }
    for (uint32_t i = random.Below(6); i > 0; --i) {
      const std::string path = RandomPath(random);
      if (Clashes(paths, path)) continue;
      const FileChange file{kModes[random.Below(3)], blobs[random.Below(3)]};
      changes[path] = file;
      absl::StrAppendFormat(&index_lines, "%o %s\t%s\n", file.mode, file.oid.ToHex(), path);
      paths.insert(path);
    }
    ASSERT_OK_AND_ASSIGN(tree, overlay_.WriteTree(tree, changes));
    Git(path_, {"update-index", "--index-info"}, index_lines);
    ASSERT_EQ(tree, GitOid(path_, {"write-tree"})) << "step " << step;
  }
  ASSERT_OK(overlay_.Publish(repository_));
  Git(path_, {"fsck", "--strict", "--no-dangling"});
}

}  // namespace
}  // namespace slipway::git
