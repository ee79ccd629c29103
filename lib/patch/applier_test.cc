#include "lib/patch/applier.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "lib/patch/blob_id.h"
#include "lib/patch/fake_base_view.h"
#include "lib/patch/renderer.h"
#include "lib/patch/unified_parser.h"
#include "lib/testkit/matchers.h"

namespace slipway::patch {
namespace {

using ::slipway::testkit::FailsWithReason;

FileState State(const std::string& content, uint32_t mode = kRegular) {
  return {.mode = mode, .content = content};
}

FileDiff Add(const std::string& path, const std::string& content, uint32_t mode = kRegular) {
  return {.path = path, .after = State(content, mode)};
}
FileDiff Remove(const std::string& path, const std::string& content, uint32_t mode = kRegular) {
  return {.path = path, .before = State(content, mode)};
}
FileDiff Change(const std::string& path, const std::string& before, const std::string& after) {
  return {.path = path, .before = State(before), .after = State(after)};
}

absl::StatusOr<std::vector<TreeChange>> ApplyText(const std::string& diff, BaseView& base) {
  const absl::StatusOr<Patch> patch = ParseUnified(diff);
  if (!patch.ok()) return patch.status();
  return Apply(*patch, base);
}

class ApplierTest : public ::testing::Test {
 protected:
  auto Apply(const std::vector<FileDiff>& diffs) { return ApplyText(RenderUnified(diffs), base_); }

  FakeBaseView base_{{"f", "1\n2\n3\n"}, {"dir/x", "x\n"}, {"dir/y", "y\n"}};
};

TEST_F(ApplierTest, AChangeGivesTheNewContent) {
  ASSERT_OK_AND_ASSIGN(const auto changes, Apply({Change("f", "1\n2\n3\n", "1\ntwo\n3\n")}));
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].after->content, "1\ntwo\n3\n");
  EXPECT_EQ(changes[0].after->oid, GitBlobId("1\ntwo\n3\n"));
}

TEST_F(ApplierTest, AnAdditionMustNotMeetAFile) {
  EXPECT_THAT(Apply({Add("f", "new\n")}), FailsWithReason("EXISTS"));
  base_.Put("sub", "commit", kGitlink);
  EXPECT_THAT(Apply({Add("sub", "new\n")}), FailsWithReason("EXISTS"));
}

TEST_F(ApplierTest, NothingStandsBelowAFileThatStays) {
  base_.Put("link", "dir", kSymlink);
  base_.Put("sub", "commit", kGitlink);
  EXPECT_THAT(Apply({Add("f/x", "new\n")}), FailsWithReason("DF_CONFLICT"));
  EXPECT_THAT(Apply({Add("link/x", "new\n")}), FailsWithReason("DF_CONFLICT"));
  EXPECT_THAT(Apply({Add("sub/x", "new\n")}), FailsWithReason("DF_CONFLICT"));
  EXPECT_THAT(Apply({Add("l", "dir", kSymlink), Add("l/x", "new\n")}),
              FailsWithReason("DF_CONFLICT"));
}

TEST_F(ApplierTest, ADirectoryThatStaysIsNoPlaceForAFile) {
  EXPECT_THAT(Apply({Add("dir", "new\n")}), FailsWithReason("DF_CONFLICT"));
  EXPECT_THAT(Apply({Remove("dir/x", "x\n"), Add("dir", "new\n")}), FailsWithReason("DF_CONFLICT"));
}

TEST_F(ApplierTest, FilesAndDirectoriesMayChangePlaces) {
  ASSERT_OK_AND_ASSIGN(const auto changes,
                       Apply({Add("dir", "file\n"), Remove("dir/x", "x\n"), Remove("dir/y", "y\n"),
                              Remove("f", "1\n2\n3\n"), Add("f/below", "b\n")}));
  EXPECT_EQ(changes.size(), 5u);
}

TEST_F(ApplierTest, WhatIsChangedMustExist) {
  EXPECT_THAT(Apply({Change("none", "a\n", "b\n")}), FailsWithReason("MISSING"));
  EXPECT_THAT(Apply({Remove("none", "a\n")}), FailsWithReason("MISSING"));
  EXPECT_THAT(Apply({Remove("dir", "a\n")}), FailsWithReason("MISSING"));
}

TEST_F(ApplierTest, ModesMustBeThoseOfTheBase) {
  EXPECT_THAT(Apply({{"f", State("1\n2\n3\n", kExecutable), State("x\n", kExecutable)}}),
              FailsWithReason("MODE_MISMATCH"));
  EXPECT_THAT(Apply({{"f", State("1\n2\n3\n", kExecutable), State("1\n2\n3\n", kRegular)}}),
              FailsWithReason("STALE_MODE"));
  EXPECT_THAT(Apply({Remove("f", "1\n2\n3\n", kExecutable)}), FailsWithReason("STALE_MODE"));
}

TEST_F(ApplierTest, APatchForAnotherBaseIsStale) {
  EXPECT_THAT(Apply({Change("f", "1\n2\n", "1\n")}), FailsWithReason("STALE_OID"));
}

TEST_F(ApplierTest, AResultWithAnotherIdIsRefused) {
  std::string diff = RenderUnified({Change("f", "1\n2\n3\n", "1\ntwo\n3\n")});
  diff = absl::StrReplaceAll(diff, {{"+two", "+TWO"}});
  EXPECT_THAT(ApplyText(diff, base_), FailsWithReason("OID_MISMATCH"));
}

TEST_F(ApplierTest, ContextMustStandAtItsLine) {
  const std::string diff = RenderUnified({Change("f", "1\n2\n3\n", "1\ntwo\n3\n")});
  for (const auto& [from, to] : {std::pair{" 1\n", " one\n"}, std::pair{"-2\n", "-two\n"},
                                 std::pair{"@@ -1,3 +1,3", "@@ -2,3 +2,3"}}) {
    EXPECT_THAT(ApplyText(absl::StrReplaceAll(diff, {{from, to}}), base_),
                FailsWithReason("STALE"));
  }
  EXPECT_THAT(ApplyText(absl::StrReplaceAll(diff, {{" 1\n", " 1\r\n"}}), base_),
              FailsWithReason("EOL_MISMATCH"));
}

TEST_F(ApplierTest, ADeletionMustShowAllOfTheFile) {
  std::string diff = RenderUnified({Remove("f", "1\n2\n3\n")});
  diff = absl::StrReplaceAll(diff, {{"-1,3 +0,0", "-1,2 +0,0"}, {"-3\n", ""}});
  EXPECT_THAT(ApplyText(diff, base_), FailsWithReason("STALE"));
}

TEST_F(ApplierTest, AnInsertionWithoutContextIsRefused) {
  const std::string diff =
      absl::StrCat("diff --git a/f b/f\nindex ", GitBlobId("1\n2\n3\n"), "..",
                   GitBlobId("1\nx\n2\n3\n"), " 100644\n--- a/f\n+++ b/f\n@@ -1,0 +2 @@\n+x\n");
  EXPECT_THAT(ApplyText(diff, base_), FailsWithReason("ZERO_CONTEXT"));
}

TEST_F(ApplierTest, ASymlinkMustStayInside) {
  EXPECT_THAT(Apply({Add("l", "/etc/passwd", kSymlink)}), FailsWithReason("SYMLINK_TARGET"));
  EXPECT_THAT(Apply({Add("l", "../x", kSymlink)}), FailsWithReason("SYMLINK_TARGET"));
  EXPECT_OK(Apply({Add("l", "dir/x", kSymlink)}));
}

TEST_F(ApplierTest, EmptyFilesComeAndGo) {
  base_.Put("empty", "");
  ASSERT_OK_AND_ASSIGN(const auto changes, Apply({Remove("empty", ""), Add("new", "")}));
  EXPECT_FALSE(changes[0].after.has_value());
  EXPECT_EQ(changes[1].after->content, "");
}

TEST_F(ApplierTest, TheSumOfResultsIsBounded) {
  const std::string diff = RenderUnified({Add("a", "1234567\n"), Add("b", "1234567\n")});
  ASSERT_OK_AND_ASSIGN(const Patch patch, ParseUnified(diff));
  EXPECT_THAT(patch::Apply(patch, base_, {.result_bytes_max = 10}), FailsWithReason("LIMITS"));
}

}  // namespace
}  // namespace slipway::patch
