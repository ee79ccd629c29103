#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "lib/patch/applier.h"
#include "lib/patch/fake_base_view.h"
#include "lib/patch/git_sandbox.h"
#include "lib/patch/line_diff.h"
#include "lib/patch/renderer.h"
#include "lib/patch/unified_parser.h"
#include "lib/testkit/matchers.h"

namespace slipway::patch {
namespace {

// Makes trees and changes of them from a seed.
class RandomTree final {
 public:
  explicit RandomTree(uint32_t seed) : random_(seed) {}

  FakeBaseView Make() {
    FakeBaseView tree;
    for (int i = 0; i < 8; ++i) tree.Put(Path(), Content(), Mode());
    return Cleaned(tree);
  }

  FakeBaseView Changed(const FakeBaseView& before) {
    FakeBaseView after;
    for (const auto& [path, state] : before.files()) {
      const int what = Below(10);
      if (what == 0) continue;
      if (what == 1) {
        after.Put(path, "target" + std::to_string(Below(3)), kSymlink);
      } else if (what == 2 && state.mode != kSymlink) {
        after.Put(path, state.content, state.mode == kRegular ? kExecutable : kRegular);
      } else if (what < 7 && state.mode != kSymlink) {
        after.Put(path, Edited(state.content), Below(5) == 0 ? Mode() : state.mode);
      } else {
        after.Put(path, state.content, state.mode);
      }
    }
    for (int i = Below(3); i > 0; --i) after.Put(Path(), Content(), Mode());
    return Cleaned(after);
  }

 private:
  int Below(int bound) { return static_cast<int>(random_() % bound); }

  std::string Path() {
    static const std::vector<std::string> kNames = {"a", "b c", "d\"q", "\xC3\xA9", "x.cc", "y"};
    std::string path = kNames[Below(6)];
    for (int i = Below(3); i > 0; --i) absl::StrAppend(&path, "/", kNames[Below(6)]);
    return path;
  }

  uint32_t Mode() { return Below(4) == 0 ? kExecutable : kRegular; }

  std::string Line() {
    static const std::vector<std::string> kLines = {
        "",        "{",       "}",           "int x;", "\treturn;",          "-- ",
        "+++ b/x", "--- a/x", "@@ -1 +1 @@", "\\ No",  "diff --git a/x b/x", "crlf\r",
        "\xFF\xFE"};
    return Below(3) == 0 ? absl::StrCat("line ", Below(1000)) : kLines[Below(13)];
  }

  std::string Content() {
    std::string content;
    for (int i = Below(60); i > 0; --i) absl::StrAppend(&content, Line(), "\n");
    if (Below(4) == 0) absl::StrAppend(&content, "no end");
    if (Below(8) == 0) content.push_back('\0');
    return content;
  }

  std::string Edited(const std::string& content) {
    std::string edited;
    for (const absl::string_view line : SplitLines(content)) {
      const int what = Below(12);
      if (what == 0) continue;
      if (what == 1) absl::StrAppend(&edited, Line(), "\n");
      edited.append(line.data(), line.size());
    }
    if (Below(5) == 0) absl::StrAppend(&edited, "tail");
    return edited;
  }

  // Without the files that stand below another file.
  static FakeBaseView Cleaned(const FakeBaseView& tree) {
    FakeBaseView cleaned;
    for (const auto& [path, state] : tree.files()) {
      bool below = false;
      for (size_t slash = path.find('/'); slash != std::string::npos;
           slash = path.find('/', slash + 1)) {
        below = below || tree.files().count(path.substr(0, slash)) > 0;
      }
      if (!below) cleaned.Put(path, state.content, state.mode);
    }
    return cleaned;
  }

  std::mt19937 random_;
};

std::vector<FileDiff> DiffsOf(const FakeBaseView& before, const FakeBaseView& after) {
  std::map<std::string, FileDiff> diffs;
  for (const auto& [path, state] : before.files()) diffs[path].before = state;
  for (const auto& [path, state] : after.files()) diffs[path].after = state;
  std::vector<FileDiff> list;
  for (auto& [path, diff] : diffs) list.push_back({path, diff.before, diff.after});
  return list;
}

std::vector<std::string> Summary(const FakeBaseView& tree) {
  std::vector<std::string> lines;
  for (const auto& [path, state] : tree.files()) {
    lines.push_back(absl::StrCat(path, " ", state.mode, " ", state.oid));
  }
  return lines;
}

TEST(GitDifferentialTest, WhatGitWritesIsAppliedExactly) {
  GitSandbox git;
  for (uint32_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(seed);
    RandomTree random(seed);
    FakeBaseView before = random.Make();
    const FakeBaseView after = random.Changed(before);
    const std::string diff = git.Diff(git.WriteTree(before), git.WriteTree(after));
    if (diff.empty()) continue;
    ASSERT_OK_AND_ASSIGN(const Patch patch, ParseUnified(diff));
    ASSERT_OK_AND_ASSIGN(const std::vector<TreeChange> changes, Apply(patch, before));
    before.Update(changes);
    EXPECT_EQ(Summary(before), Summary(after));
  }
}

TEST(GitDifferentialTest, GitAppliesWhatIsRenderedToTheSameTree) {
  GitSandbox git;
  for (uint32_t seed = 101; seed <= 115; ++seed) {
    SCOPED_TRACE(seed);
    RandomTree random(seed);
    FakeBaseView before = random.Make();
    const FakeBaseView after = random.Changed(before);
    const std::string diff = RenderUnified(DiffsOf(before, after));
    if (diff.empty()) continue;
    const std::string wanted = git.WriteTree(after);
    git.WriteTree(before);
    git.Run({"apply", "--cached", "-"}, diff);
    EXPECT_EQ(git.Run({"write-tree"}), wanted + "\n") << diff;
    ASSERT_OK_AND_ASSIGN(const Patch patch, ParseUnified(diff));
    ASSERT_OK_AND_ASSIGN(const std::vector<TreeChange> changes, Apply(patch, before));
    before.Update(changes);
    EXPECT_EQ(Summary(before), Summary(after));
  }
}

TEST(GitDifferentialTest, RenderedPatchesApplyToTheSameContentForManySeeds) {
  for (uint32_t seed = 1'000; seed < 2'000; ++seed) {
    SCOPED_TRACE(seed);
    RandomTree random(seed);
    FakeBaseView before = random.Make();
    const FakeBaseView after = random.Changed(before);
    const std::string diff = RenderUnified(DiffsOf(before, after));
    if (diff.empty()) continue;
    ASSERT_OK_AND_ASSIGN(const Patch patch, ParseUnified(diff));
    ASSERT_OK_AND_ASSIGN(const std::vector<TreeChange> changes, Apply(patch, before));
    before.Update(changes);
    ASSERT_EQ(Summary(before), Summary(after));
  }
}

TEST(GitDifferentialTest, AMutatedPatchIsRefusedOrGivesTheStatedObjects) {
  int accepted = 0;
  for (uint32_t seed = 1; seed <= 4'000; ++seed) {
    RandomTree random(seed % 50);
    FakeBaseView before = random.Make();
    std::string diff = RenderUnified(DiffsOf(before, random.Changed(before)));
    if (diff.empty()) continue;
    std::mt19937 dice(seed);
    for (int i = 0; i < 3; ++i) {
      const size_t at = dice() % diff.size();
      switch (dice() % 4) {
        case 0:
          diff[at] = static_cast<char>(dice());
          break;
        case 1:
          diff.erase(at, dice() % 20);
          break;
        case 2:
          diff.insert(at, diff.substr(dice() % diff.size(), dice() % 40));
          break;
        default:
          diff.insert(at, 1, "\n+- @\\"[dice() % 6]);
          break;
      }
      if (diff.empty()) diff = "\n";
    }
    const absl::StatusOr<Patch> patch = ParseUnified(diff);
    if (!patch.ok()) {
      ASSERT_NE(base::ReasonOf(patch.status()), "");
      continue;
    }
    const absl::StatusOr<std::vector<TreeChange>> changes = Apply(*patch, before);
    if (!changes.ok()) {
      ASSERT_NE(base::ReasonOf(changes.status()), "");
      continue;
    }
    ++accepted;
    for (const TreeChange& change : *changes) {
      if (change.after) {
        ASSERT_EQ(change.after->oid, GitBlobId(change.after->content)) << seed;
      }
    }
  }
  EXPECT_LT(accepted, 1'000);  // Some mutations only touch the text after "@@".
}

}  // namespace
}  // namespace slipway::patch
