#include "lib/patch/path_rules.h"

#include <gtest/gtest.h>

#include <string>

#include "lib/testkit/matchers.h"

namespace slipway::patch {
namespace {

using ::slipway::testkit::FailsWithReason;

struct RefusedPath {
  std::string path;
  const char* reason;
};

class RefusedPathTest : public ::testing::TestWithParam<RefusedPath> {};

TEST_P(RefusedPathTest, HasItsReason) {
  EXPECT_THAT(CheckPath(GetParam().path), FailsWithReason(GetParam().reason));
}

std::string Deep(size_t levels) {
  std::string path = "x";
  for (size_t i = 1; i < levels; ++i) path += "/x";
  return path;
}

INSTANTIATE_TEST_SUITE_P(
    Hostile, RefusedPathTest,
    ::testing::Values(
        RefusedPath{"", "PATH_EMPTY"}, RefusedPath{"/etc/passwd", "PATH_ABSOLUTE"},
        RefusedPath{"a//b", "PATH_NONCANONICAL"}, RefusedPath{"dir/", "PATH_NONCANONICAL"},
        RefusedPath{"../evil", "PATH_TRAVERSAL"}, RefusedPath{"dir/..", "PATH_TRAVERSAL"},
        RefusedPath{"a/./b", "PATH_TRAVERSAL"}, RefusedPath{"./x", "PATH_TRAVERSAL"},
        RefusedPath{".git/config", "DOTGIT"}, RefusedPath{".GIT/hooks/x", "DOTGIT"},
        RefusedPath{"dir/.git/config", "DOTGIT"}, RefusedPath{".git", "DOTGIT"},
        RefusedPath{".git./x", "DOTGIT"}, RefusedPath{".git /x", "DOTGIT"},
        RefusedPath{"git~1/x", "DOTGIT"}, RefusedPath{"GIT~1", "DOTGIT"},
        RefusedPath{".git::$INDEX_ALLOCATION/x", "DOTGIT"},
        RefusedPath{".gi\xE2\x80\x8Ct/x", "DOTGIT"}, RefusedPath{"\xEF\xBB\xBF.git", "DOTGIT"},
        RefusedPath{"a\\b", "BACKSLASH"}, RefusedPath{"..\\x", "BACKSLASH"},
        RefusedPath{".git\\foo", "BACKSLASH"}, RefusedPath{"C:/x", "WIN_COLON"},
        RefusedPath{"x:ads", "WIN_COLON"}, RefusedPath{".gitmodules:$DATA", "PROTECTED"},
        RefusedPath{"f.", "WIN_TRAILING"}, RefusedPath{"trail ", "WIN_TRAILING"},
        RefusedPath{std::string("x\0y", 3), "CONTROL_CHAR"}, RefusedPath{"a\nb", "CONTROL_CHAR"},
        RefusedPath{"a\tb", "CONTROL_CHAR"}, RefusedPath{"a\x1B[0m", "CONTROL_CHAR"},
        RefusedPath{"a\x7F", "CONTROL_CHAR"}, RefusedPath{"\xFFx", "UTF8"},
        RefusedPath{"\xC0\xAF", "UTF8"}, RefusedPath{"\xED\xA0\x80", "UTF8"},
        RefusedPath{"a\xE2\x80\xAE"
                    "b",
                    "UNICODE_PATH"},
        RefusedPath{"a\xE2\x80\x8B"
                    "b",
                    "UNICODE_PATH"},
        RefusedPath{"e\xCC\x81", "NFC_COLLISION"},
        RefusedPath{std::string(256, 'n'), "NAME_TOO_LONG"}, RefusedPath{Deep(65), "PATH_TOO_DEEP"},
        RefusedPath{std::string(250, 'a') + "/" + std::string(250, 'a') + "/" +
                        std::string(250, 'a') + "/" + std::string(250, 'a') + "/" +
                        std::string(250, 'a'),
                    "PATH_TOO_DEEP"},
        RefusedPath{"-rf", "LEADING_DASH"}, RefusedPath{"a/--upload-pack=x", "LEADING_DASH"}));

TEST(PathRulesTest, OrdinaryPathsAreAccepted) {
  for (const char* path : {"a", "a/b.c", ".github/workflows/x.yml", ".gitignore", "git~2",
                           "a b/c d", "console.c", "com10", "com.c", "...x", "\xC3\xA9.txt", "a-b",
                           "x.git", "\xE6\x97\xA5\xE6\x9C\xAC", "quote\".txt"}) {
    EXPECT_OK(CheckPath(path)) << path;
  }
  EXPECT_OK(CheckPath(Deep(64)));
}

TEST(PathRulesTest, SymlinksMustStayInside) {
  for (const char* target :
       {"", "/etc/passwd", "../x", "../../x", ".git/config", "d/../../x", "a\nb", "C:x"}) {
    EXPECT_THAT(CheckSymlinkTarget("link", target), FailsWithReason("SYMLINK_TARGET")) << target;
  }
  EXPECT_OK(CheckSymlinkTarget("link", "other"));
  EXPECT_OK(CheckSymlinkTarget("dir/link", "../other"));
  EXPECT_THAT(CheckSymlinkTarget("dir/link", "../../other"), FailsWithReason("SYMLINK_TARGET"));
}

TEST(PathRulesTest, CaseTwinsShareAKey) {
  EXPECT_EQ(CaseFoldKey("Src/Foo.TXT"), CaseFoldKey("src/foo.txt"));
  EXPECT_EQ(CaseFoldKey("\xC3\x89"), CaseFoldKey("\xC3\xA9"));
  EXPECT_EQ(CaseFoldKey("\xD0\x96"), CaseFoldKey("\xD0\xB6"));
  EXPECT_NE(CaseFoldKey("a"), CaseFoldKey("b"));
}

TEST(PathRulesTest, DevicesOfWindowsAreKnownByAnyExtension) {
  for (const char* const path : {"con", "d/aux.txt", "com1.c", "conout$.c", "LPT9", "nul/x"}) {
    EXPECT_TRUE(HoldsDevice(path)) << path;
  }
  for (const char* const path : {"console", "com0", "com10", "auxiliary.c", "d/null"}) {
    EXPECT_FALSE(HoldsDevice(path)) << path;
  }
}

TEST(PathRulesTest, OtherSpellingsOfGitsFilesAreProtected) {
  for (const char* const path : {".gitmodules .", ".gitmodules.", ".git\xE2\x80\x8Cmodules",
                                 "d/.GitAttributes ", ".gitattributes::$DATA", ".mailmap."}) {
    EXPECT_THAT(CheckPath(path), FailsWithReason("PROTECTED")) << path;
  }
}

TEST(PathRulesTest, ComposedAndDecomposedNamesHaveOneKey) {
  EXPECT_EQ(CaseFoldKey("caf\xC3\xA9"), CaseFoldKey("CAFE\xCC\x81"));
  EXPECT_EQ(CaseFoldKey("\xE1\xBA\xA5"), CaseFoldKey("a\xCC\x82\xCC\x81"));
  EXPECT_NE(CaseFoldKey("caf\xC3\xA9"), CaseFoldKey("cafe"));
}

}  // namespace
}  // namespace slipway::patch
