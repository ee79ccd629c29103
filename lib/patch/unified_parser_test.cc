#include "lib/patch/unified_parser.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "lib/patch/binary_data.h"
#include "lib/patch/blob_id.h"
#include "lib/testkit/matchers.h"

namespace slipway::patch {
namespace {

using ::slipway::testkit::FailsWithReason;

const std::string kA(40, 'a');
const std::string kB(40, 'b');
const std::string kNull(kNullOid);
const std::string kIndex = absl::StrCat("index ", kA, "..", kB, " 100644\n");
const std::string kNew = absl::StrCat("new file mode 100644\nindex ", kNull, "..", kB, "\n");
const std::string kGone = absl::StrCat("deleted file mode 100644\nindex ", kA, "..", kNull, "\n");
const std::string kGit = "diff --git a/f b/f\n";
const std::string kFiles = "--- a/f\n+++ b/f\n";
const std::string kHunk = "@@ -1,2 +1,2 @@\n x\n-y\n+z\n";
const std::string kGood = kGit + kIndex + kFiles + kHunk;

std::string Added(const std::string& name) {
  return absl::StrCat("diff --git a/", name, " b/", name, "\n", kNew, "--- /dev/null\n+++ b/", name,
                      "\n@@ -0,0 +1 @@\n+x\n");
}
std::string Hunks(const std::string& hunks) { return kGit + kIndex + kFiles + hunks; }
std::string Binary(const std::string& data) { return kGit + kIndex + "GIT binary patch\n" + data; }
std::string Replaced(const std::string& from, const std::string& to) {
  return absl::StrReplaceAll(kGood, {{from, to}});
}

struct Hostile {
  const char* name;
  std::string diff;
  const char* reason;
};

class HostilePatchTest : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostilePatchTest, IsRefusedWithItsReason) {
  EXPECT_THAT(ParseUnified(GetParam().diff), FailsWithReason(GetParam().reason));
}

const std::string kLiteral = EncodeBinaryLiteral(std::string("a\0b", 3));
const std::string kBomb = EncodeBinaryLiteral(std::string(1 << 20, '\0'));

INSTANTIATE_TEST_SUITE_P(
    Headers, HostilePatchTest,
    ::testing::Values(
        Hostile{"P25", "diff --git a/f b/g\n" + kIndex + kFiles + kHunk, "HEADER_MISMATCH"},
        Hostile{"P26", Replaced("+++ b/f", "+++ dir/a"), "HEADER_MISMATCH"},
        Hostile{"P27", "diff --git a/x b/x b/x b/x\n" + kNew, "AMBIGUOUS_HEADER"},
        Hostile{"P28", Replaced("a/f b/f", "dir/f dir/f"), "PREFIX"},
        Hostile{"P29", Replaced("a/f b/f", "i/f w/f"), "PREFIX"},
        Hostile{"P01", Added("../evil"), "PATH_TRAVERSAL"},
        Hostile{"P02", Added("/abs"), "PATH_ABSOLUTE"},
        Hostile{"P03", Added("x//y"), "PATH_NONCANONICAL"},
        Hostile{"P04", Added(".git/config"), "DOTGIT"},
        Hostile{"P21", "diff --git a/ b/\n" + kNew, "PATH_EMPTY"},
        Hostile{"P11", "diff --git \"a/x\\000y\" \"b/x\\000y\"\n" + kNew, "CONTROL_CHAR"},
        Hostile{"P12", "diff --git \"a/x\\ny\" \"b/x\\ny\"\n" + kNew, "CONTROL_CHAR"},
        Hostile{"P13", "diff --git \"a/\\377x\" \"b/\\377x\"\n" + kNew, "UTF8"},
        Hostile{"T05", kGit + "old mode 100644\nnew mode 120000\n", "TYPE_CHANGE"},
        Hostile{"T06", kGit + "old mode 100644\nnew mode 160000\n", "SUBMODULE"},
        Hostile{"T07", kGit + "old mode 100644\nnew mode 040000\n", "BAD_MODE"},
        Hostile{"T08", kGit + "old mode 100644\nnew mode 104755\n", "BAD_MODE"},
        Hostile{"T09", Added("sub") + kGit + "new file mode 160000\n", "SUBMODULE"},
        Hostile{"S16", Added("n") + Added("n"), "DUP_PATH"},
        Hostile{"S17", kGood + kGood, "DUP_PATH"},
        Hostile{"H11", absl::StrReplaceAll(kGood, {{"\n", "\r\n"}}), "EOL"},
        Hostile{"H18", kGit, "EMPTY_CHANGE"}, Hostile{"H18Empty", "", "EMPTY_CHANGE"},
        Hostile{"H18Modes", kGit + "old mode 100644\nnew mode 100644\n", "EMPTY_CHANGE"},
        Hostile{"H20Combined", "diff --cc f\n" + kIndex, "FORMAT"},
        Hostile{"H20Svn", "Index: f\n" + kFiles + kHunk, "FORMAT"},
        Hostile{"H20Context", "*** f\n--- f\n", "FORMAT"}, Hostile{"H21", kFiles + kHunk, "FORMAT"},
        Hostile{"H22", Replaced("--- a/f", "--- a/f\t2020-01-01"), "FORMAT"},
        Hostile{"H23", Replaced("+++ b/f", "+++ /dev/null"), "HEADER_MISMATCH"},
        Hostile{"H24", Replaced("--- a/f", "--- /dev/null"), "HEADER_MISMATCH"},
        Hostile{"H25", "diff --git a/f b/g\nrename from f\nrename to g\n", "RENAME"},
        Hostile{"P25Rename", "diff --git a/f b/g\nrename from f\nrename to .github/x.yml\n",
                "HEADER_MISMATCH"},
        Hostile{"H26Prose", "Here it is:\n" + kGood, "GARBAGE"},
        Hostile{"H26Mark", "\xEF\xBB\xBF" + kGood, "GARBAGE"},
        Hostile{"H27", kGood + "and now\n" + kGood, "GARBAGE"},
        Hostile{"H28", kGood + "--- a/g\n+++ b/g\n" + kHunk, "GARBAGE"},
        Hostile{"H29", kGit + "new file mode\n", "CORRUPT"},
        Hostile{"H30", kGit + "new file mode 100644\ndeleted file mode 100644\n", "CORRUPT"},
        Hostile{"H30Rename", kGit + "new file mode 100644\nrename from g\n", "CORRUPT"},
        Hostile{"NoIndex", kGit + kFiles + kHunk, "MISSING_INDEX"},
        Hostile{"B06", Replaced(kA, "abcdef1"), "SHORT_OID"},
        Hostile{"NullOld", Replaced(kA, kNull), "HEADER_MISMATCH"},
        Hostile{"SameOids", Replaced(kA, kB), "EMPTY_CHANGE"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Hunks, HostilePatchTest,
    ::testing::Values(
        Hostile{"H03", kGood + "+more\n", "TRAILING_GARBAGE"},
        Hostile{"H04", Hunks("@@ -1,1 +1,2 @@\n x\n-y\n+z\n"), "COUNTS"},
        Hostile{"H05", Hunks("@@ -1,3 +1,3 @@\n x\n-y\n+z\n"), "COUNTS"},
        Hostile{"H05Next", Hunks("@@ -1,3 +1,3 @@\n x\n-y\n+z\n" + Added("g")), "COUNTS"},
        Hostile{"H06", kGood.substr(0, kGood.size() - 1), "MISSING_NEWLINE"},
        Hostile{"H07", Hunks("@@ -1,2 +1,2 @@\n\n-y\n+z\n"), "CORRUPT"},
        Hostile{"H08", Hunks("@@ -9 +9 @@\n-a\n+b\n@@ -1 +1 @@\n-a\n+b\n"), "ORDER"},
        Hostile{"H09", Hunks("@@ -1,2 +1,2 @@\n x\n-a\n+b\n@@ -2 +2 @@\n-a\n+b\n"), "OVERLAP"},
        Hostile{"NewStart", Hunks("@@ -1,2 +5,2 @@\n x\n-y\n+z\n"), "COUNTS"},
        Hostile{"H14Middle", Hunks("@@ -1,2 +1,2 @@\n x\n\\ No newline at end of file\n-y\n+z\n"),
                "CORRUPT"},
        Hostile{"H14Twice",
                Hunks("@@ -1 +1 @@\n-y\n+z\n\\ No newline at end of file\n"
                      "\\ No newline at end of file\n"),
                "CORRUPT"},
        Hostile{"H15Large", Hunks("@@ -1,2147483648 +1 @@\n-y\n+z\n"), "CORRUPT"},
        Hostile{"H15Digits", Hunks("@@ -11111111111111111111 +1 @@\n-y\n+z\n"), "CORRUPT"},
        Hostile{"H15Negative", Hunks("@@ --1 +1 @@\n-y\n+z\n"), "CORRUPT"},
        Hostile{"H16", Hunks("@@ -1,2000000000 +1,2000000000 @@\n-y\n+z\n"), "COUNTS"},
        Hostile{"H18Context", Hunks("@@ -1 +1 @@\n x\n"), "EMPTY_CHANGE"},
        Hostile{"B08", Hunks(std::string("@@ -1 +1 @@\n-y\n+\0z\n", 19)), "NUL_IN_TEXT"},
        Hostile{"S06", kGit + kGone, "STALE"}, Hostile{"AddNoHunk", kGit + kNew, "OID_MISMATCH"},
        Hostile{"AddWithOld", kGit + kNew + "--- /dev/null\n+++ b/f\n@@ -1 +1 @@\n-x\n+y\n",
                "CORRUPT"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Binaries, HostilePatchTest,
    ::testing::Values(
        Hostile{"B02", kGit + kIndex + "Binary files a/f and b/f differ\n", "BINARY_NODATA"},
        Hostile{"B03Lies",
                Binary(absl::StrReplaceAll(kBomb, {{"literal 1048576", "literal 10"}}) + kLiteral),
                "INFLATE_LIMIT"},
        Hostile{"B03Claims",
                Binary(absl::StrReplaceAll(kLiteral, {{"literal 3", "literal 999999999"}})),
                "INFLATE_LIMIT"},
        Hostile{"B03Short",
                Binary(absl::StrReplaceAll(kLiteral, {{"literal 3", "literal 4"}}) + kLiteral),
                "CORRUPT"},
        Hostile{"B04",
                Binary(absl::StrReplaceAll(EncodeBinaryLiteral("\x01\xFF\xFF\xFF\xFF\x7F"),
                                           {{"literal", "delta"}}) +
                       kLiteral),
                "DELTA_LIMIT"},
        Hostile{"B10Garbage", Binary("literal 3\nzzz zz\n\n" + kLiteral), "CORRUPT"},
        Hostile{"B10NoReverse", Binary(kLiteral), "CORRUPT"},
        Hostile{"DeltaOutside",
                Binary(absl::StrReplaceAll(EncodeBinaryLiteral("\x02\x02\x91\x01\x02"),
                                           {{"literal", "delta"}}) +
                       kLiteral),
                "CORRUPT"}),
    [](const auto& info) { return info.param.name; });

TEST(UnifiedParserTest, LimitsAreEnforced) {
  EXPECT_THAT(ParseUnified(kGood, {.patch_bytes_max = 10}), FailsWithReason("LIMITS"));
  EXPECT_THAT(ParseUnified(Added("a") + Added("b"), {.sections_max = 1}),
              FailsWithReason("LIMITS"));
  EXPECT_THAT(ParseUnified(kGood, {.hunks_max = 0}), FailsWithReason("LIMITS"));
  EXPECT_THAT(ParseUnified(kGood + std::string(200, 'x') + "\n", {.line_bytes_max = 120}),
              FailsWithReason("LINE_LENGTH"));
}

TEST(UnifiedParserTest, ARefusalSaysPathAndLine) {
  const absl::Status status = ParseUnified(Added("g") + kGood + "+more\n").status();
  const base::ErrorDetail detail = base::DetailOf(status).value();
  EXPECT_EQ(detail.metadata.at("path"), "f");
  EXPECT_EQ(detail.metadata.at("line"), "16");
}

TEST(UnifiedParserTest, ASectionBecomesAChange) {
  ASSERT_OK_AND_ASSIGN(const Patch patch, ParseUnified(kGood));
  ASSERT_EQ(patch.files.size(), 1u);
  const FileChange& change = patch.files[0];
  EXPECT_EQ(change.op, ChangeOp::kModify);
  EXPECT_EQ(change.path(), "f");
  EXPECT_EQ(change.new_mode, kRegular);
  EXPECT_EQ(change.old_oid, kA);
  ASSERT_EQ(change.hunks().size(), 1u);
  const std::vector<HunkLine> lines = change.hunks()[0].Lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1].kind, '-');
  EXPECT_EQ(lines[1].text, "y");
}

TEST(UnifiedParserTest, QuotedNamesAreDecoded) {
  ASSERT_OK_AND_ASSIGN(const Patch patch,
                       ParseUnified("diff --git \"a/\\303\\251\\\"\" \"b/\\303\\251\\\"\"\n"
                                    "old mode 100644\nnew mode 100755\n"));
  EXPECT_EQ(patch.files[0].path(), "\xC3\xA9\"");
  EXPECT_EQ(patch.files[0].op, ChangeOp::kModeOnly);
}

TEST(UnifiedParserTest, ALongSectionTextAfterTheRangesIsAccepted) {
  EXPECT_OK(ParseUnified(Replaced("+1,2 @@", "+1,2 @@ " + std::string(500, 'f'))));
}

TEST(UnifiedParserTest, AFileMayBecomeASymlink) {
  ASSERT_OK_AND_ASSIGN(const Patch patch,
                       ParseUnified(kGit + kGone + "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n" +
                                    absl::StrReplaceAll(Added("f"), {{"100644", "120000"}})));
  ASSERT_EQ(patch.files.size(), 2u);
  EXPECT_TRUE(patch.files[0].type_change);
  EXPECT_TRUE(patch.files[1].type_change);
}

}  // namespace
}  // namespace slipway::patch
