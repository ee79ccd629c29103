#include "lib/git/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/git/git_fixture.h"
#include "lib/git/tree.h"

namespace slipway::git {
namespace {

using Files = std::map<std::string, std::string>;

class MergeTest : public GitFixture {
 protected:
  MergeTest() : repository_(Repository::InitBare(path_, {}).value()), overlay_(repository_) {}

  Oid Write(const Files& files) {
    TreeChanges changes;
    for (const auto& [path, content] : files) {
      // A leading "#!" stands for an executable file.
      const uint32_t mode = absl::StartsWith(content, "#!") ? kModeExecutable : kModeFile;
      changes[path] = FileChange{.mode = mode, .oid = overlay_.PutBlob(content).value()};
    }
    return overlay_.WriteTree(Oid(), changes).value();
  }

  Oid Commit(const Oid& tree, std::vector<Oid> parents) {
    return overlay_
        .PutCommit({.tree = tree,
                    .parents = std::move(parents),
                    .author = Ada(),
                    .committer = Ada(),
                    .message = "m"})
        .value();
  }

  // The tree of `git merge-tree --write-tree`; absent when that reports conflicts.
  std::optional<Oid> MergeWithGit(const Oid& base, const Oid& ours, const Oid& theirs) {
    const Oid root = Commit(base, {});
    const Oid left = Commit(ours, {root});
    const Oid right = Commit(theirs, {root});
    EXPECT_OK(overlay_.Publish(repository_));
    const Outcome outcome =
        RunGit(path_, {"merge-tree", "--write-tree", left.ToHex(), right.ToHex()});
    if (outcome.code == 1) return std::nullopt;
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Oid::Parse(outcome.out.substr(0, 40)).value();
  }

  // Merges both ways; checks that a clean result is git's.
  MergeResult Merge(const Files& base, const Files& ours, const Files& theirs) {
    const Oid trees[] = {Write(base), Write(ours), Write(theirs)};
    const absl::StatusOr<MergeResult> result = MergeTrees(overlay_, trees[0], trees[1], trees[2]);
    EXPECT_OK(result);
    if (!result.ok()) return {};
    const std::optional<Oid> expected = MergeWithGit(trees[0], trees[1], trees[2]);
    if (result->clean()) {
      EXPECT_EQ(result->tree, expected.value_or(Oid()));
      EXPECT_OK(ReadTree(overlay_, result->tree));
    } else {
      EXPECT_TRUE(result->tree.IsNull());
    }
    return *result;
  }

  static std::string Kinds(const MergeResult& result) {
    return absl::StrJoin(result.conflicts, ",", [](std::string* out, const Conflict& conflict) {
      absl::StrAppend(out, conflict.path, ":", NameOf(conflict.kind));
    });
  }

  const std::string path_ = directory_.File("mirror.git");
  Repository repository_;
  Overlay overlay_;
};

constexpr char kTen[] = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";

TEST_F(MergeTest, ChangesOfDifferentLinesAndFilesMerge) {
  const MergeResult result =
      Merge({{"f", kTen}, {"g", "g\n"}, {"d/h", "h\n"}},
            {{"f", "one\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"}, {"g", "g\n"}, {"d/h", "H\n"}},
            {{"f", "1\n2\n3\n4\n5\n6\n7\n8\n9\nten\n"}, {"g", "g\n"}, {"d/h", "h\n"}, {"n", ""}});
  EXPECT_TRUE(result.clean()) << Kinds(result);
}

TEST_F(MergeTest, ModeAndContentMergeSeparately) {
  const Oid blob = overlay_.PutBlob("x\n").value();
  const Oid other = overlay_.PutBlob("y\n").value();
  const Oid base = overlay_.WriteTree(Oid(), {{"f", FileChange{kModeFile, blob}}}).value();
  const Oid ours = overlay_.WriteTree(Oid(), {{"f", FileChange{kModeExecutable, blob}}}).value();
  const Oid theirs = overlay_.WriteTree(Oid(), {{"f", FileChange{kModeFile, other}}}).value();
  ASSERT_OK_AND_ASSIGN(const MergeResult result, MergeTrees(overlay_, base, ours, theirs));
  EXPECT_EQ(result.tree, MergeWithGit(base, ours, theirs));
}

TEST_F(MergeTest, EveryConflictHasItsKind) {
  const std::string binary("a\0b", 3);
  const std::string large(2u << 20, 'x');
  struct Case {
    const char* kinds;
    Files base, ours, theirs;
  };
  const Case cases[] = {
      {"f:CONTENT", {{"f", "a\n"}}, {{"f", "b\n"}}, {{"f", "c\n"}}},
      {"f:BINARY", {{"f", binary}}, {{"f", binary + "1"}}, {{"f", binary + "2"}}},
      {"f:TOO_LARGE", {{"f", large}}, {{"f", large + "1"}}, {{"f", large + "2"}}},
      {"f:MODIFY_DELETE", {{"f", "a"}, {"z", ""}}, {{"z", ""}}, {{"f", "b"}, {"z", ""}}},
      {"d/f:MODIFY_DELETE", {{"d/f", "a"}, {"z", ""}}, {{"d/f", "b"}, {"z", ""}}, {{"z", ""}}},
      {"f:ADD_ADD", {{"z", ""}}, {{"f", "a"}, {"z", ""}}, {{"f", "b"}, {"z", ""}}},
      {"f:DIRECTORY_FILE", {{"z", ""}}, {{"f/g", "a"}, {"z", ""}}, {{"f", "b"}, {"z", ""}}},
      {"a:CONTENT,b:CONTENT",
       {{"a", "1\n"}, {"b", "1\n"}},
       {{"a", "2\n"}, {"b", "2\n"}},
       {{"a", "3\n"}, {"b", "3\n"}}},
  };
  for (const Case& test : cases) {
    EXPECT_EQ(Kinds(Merge(test.base, test.ours, test.theirs)), test.kinds);
  }
}

TEST_F(MergeTest, ContentConflictShowsBothSides) {
  const MergeResult result = Merge({{"f", "a\n"}}, {{"f", "b\n"}}, {{"f", "c\n"}});
  ASSERT_EQ(result.conflicts.size(), 1u);
  EXPECT_EQ(result.conflicts[0].text, "<<<<<<< target\nb\n=======\nc\n>>>>>>> change\n");
}

TEST_F(MergeTest, RenameThatGitWouldFollowIntoAConflictIsOne) {
  // Renamed by one side, removed by the other.
  EXPECT_EQ(Kinds(Merge({{"x", kTen}, {"z", ""}}, {{"y", kTen}, {"z", ""}}, {{"z", ""}})),
            "y:RENAME");
  // Renamed to two names.
  EXPECT_NE(
      Kinds(Merge({{"x", kTen}, {"z", ""}}, {{"y", kTen}, {"z", ""}}, {{"w", kTen}, {"z", ""}})),
      "");
  // The same inside a directory that is equal on both sides afterwards.
  EXPECT_EQ(Kinds(Merge({{"d/x", kTen}, {"d/z", ""}}, {{"y", kTen}, {"d/z", ""}}, {{"d/z", ""}})),
            "y:RENAME");
  // A directory renamed by one side, in which the other adds a file.
  EXPECT_EQ(Kinds(Merge({{"d/x", kTen}, {"z", ""}}, {{"e/x", kTen}, {"z", ""}},
                        {{"d/x", kTen}, {"d/new", "n"}, {"z", ""}})),
            "d/new:RENAME");
}

TEST_F(MergeTest, RemovalsByBothWithUnrelatedAdditionsMerge) {
  EXPECT_TRUE(Merge({{"x", kTen}, {"z", ""}}, {{"y", "quite\ndifferent\n"}, {"z", ""}},
                    {{"z", ""}, {"w", "again\nother\n"}})
                  .clean());
}

std::string RandomText(Random& random) {
  std::string text;
  for (uint32_t i = 4 + random.Below(12); i > 0; --i) {
    absl::StrAppend(&text, "line ", random.Below(6), "\n");  // Few words: ambiguous matches.
  }
  return text;
}

void EditLines(Random& random, std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  for (uint32_t i = 1 + random.Below(2); i > 0; --i) {
    const uint32_t at = random.Below(static_cast<uint32_t>(lines.size()));
    switch (random.Below(3)) {
      case 0:
        lines[at] = absl::StrCat("line ", random.Below(6));
        break;
      case 1:
        lines.insert(lines.begin() + at, absl::StrCat("line ", random.Below(6)));
        break;
      default:
        if (lines.size() > 1) lines.erase(lines.begin() + at);
    }
  }
  text = absl::StrJoin(lines, "\n");
}

bool Fits(const Files& files, const std::string& path) {
  for (const auto& [other, content] : files) {
    if (absl::StartsWith(other, path + "/") || absl::StartsWith(path, other + "/")) return false;
  }
  return true;
}

std::string RandomPath(Random& random) {
  std::string path = random.Below(2) == 0 ? "" : absl::StrCat("d", random.Below(3), "/");
  return absl::StrCat(path, "d", random.Below(6));
}

Files Edit(Random& random, Files files) {
  for (uint32_t i = random.Below(4); i > 0 && !files.empty(); --i) {
    auto file = std::next(files.begin(), random.Below(static_cast<uint32_t>(files.size())));
    const std::string target = RandomPath(random);
    switch (random.Below(6)) {
      case 0:
        files.erase(file);
        break;
      case 1:
        if (Fits(files, target)) files[target] = RandomText(random);
        break;
      case 2: {
        const auto [path, content] = *file;
        files.erase(file);
        files[Fits(files, target) ? target : path] = content;
        break;
      }
      default:
        EditLines(random, file->second);
    }
  }
  return files;
}

// The base and both sides of a random merge.
std::array<Files, 3> RandomMerge(int seed) {
  Random random(seed);
  Files base;
  for (uint32_t i = 3 + random.Below(5); i > 0; --i) {
    const std::string path = RandomPath(random);
    if (Fits(base, path)) base[path] = RandomText(random);
  }
  Files ours = Edit(random, base);
  Files theirs = Edit(random, base);
  return {std::move(base), std::move(ours), std::move(theirs)};
}

// One side renames a file, both change another; a rename that is followed must not hide the
// conflict beside it, nor the conflict the rename.
TEST_F(MergeTest, TheMergeOfSeed2035ConflictsInTheFileThatBothChanged) {
  const std::array<Files, 3> files = RandomMerge(2035);
  EXPECT_EQ(Kinds(Merge(files[0], files[1], files[2])), "d2/d5:CONTENT");
  std::array<Files, 3> without = files;
  for (Files& side : without) side.erase("d2/d5");
  const MergeResult clean = Merge(without[0], without[1], without[2]);
  ASSERT_TRUE(clean.clean()) << Kinds(clean);
  ASSERT_OK_AND_ASSIGN(const std::vector<TreeFile> merged, ListFiles(overlay_, clean.tree, 10));
  EXPECT_THAT(merged, ::testing::Contains(::testing::Field(&TreeFile::path, "d4")));
}

TEST_F(MergeTest, RandomMergesAreNeverCleanWhereGitDiffers) {
  int clean = 0;
  int cautious = 0;
  for (int seed = 0; seed < 300; ++seed) {
    const std::array<Files, 3> files = RandomMerge(seed);
    const Oid trees[] = {Write(files[0]), Write(files[1]), Write(files[2])};
    ASSERT_OK_AND_ASSIGN(const MergeResult result,
                         MergeTrees(overlay_, trees[0], trees[1], trees[2]));
    const std::optional<Oid> expected = MergeWithGit(trees[0], trees[1], trees[2]);
    if (result.clean()) {
      ASSERT_EQ(result.tree, expected.value_or(Oid())) << "seed " << seed;
      ++clean;
    } else if (expected.has_value()) {
      ++cautious;
    }
  }
  RecordProperty("clean", clean);
  RecordProperty("cautious", cautious);
  EXPECT_GT(clean, 100);
  EXPECT_LT(cautious, 60);
}

}  // namespace
}  // namespace slipway::git
