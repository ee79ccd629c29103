#include "lib/policy/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace slipway::policy {
namespace {

struct GlobCase {
  const char* pattern;
  const char* path;
  bool matches;
};

class GlobTest : public ::testing::TestWithParam<GlobCase> {};

TEST_P(GlobTest, MatchesByComponent) {
  EXPECT_EQ(GlobMatches(GetParam().pattern, GetParam().path), GetParam().matches)
      << GetParam().pattern << " against " << GetParam().path;
}

INSTANTIATE_TEST_SUITE_P(
    , GlobTest,
    ::testing::Values(GlobCase{"src/**", "src/a", true}, GlobCase{"src/**", "src/a/b", true},
                      GlobCase{"src/**", "src", false}, GlobCase{"src/**", "srcx/a", false},
                      GlobCase{"src/**", "SRC/a", false}, GlobCase{"src/**", ".src/a", false},
                      GlobCase{"src/", "src/a/b", true}, GlobCase{"src/", "src", false},
                      GlobCase{"src/*", "src/a", true}, GlobCase{"src/*", "src/a/b", false},
                      GlobCase{"*.md", "a.md", true}, GlobCase{"*.md", "a/b.md", false},
                      GlobCase{"**/*.md", "a.md", true}, GlobCase{"**/*.md", "a/b/c.md", true},
                      GlobCase{"a/**/b", "a/b", true}, GlobCase{"a/**/b", "a/x/y/b", true},
                      GlobCase{"a/**/b", "a/x/c", false}, GlobCase{"**", "a/b", true},
                      GlobCase{"a?c", "abc", true}, GlobCase{"a?c", "a/c", false},
                      GlobCase{"a*b*c", "aXbYbZc", true}, GlobCase{"a*b*c", "aXc", false},
                      GlobCase{"**/x/**", "x/y", true}, GlobCase{"**/x/**", "a/x", false},
                      GlobCase{"a", "a", true}, GlobCase{"a", "a/b", false}));

TEST(GlobPatternTest, HostilePatternsAreLinearEnough) {
  std::string pattern, path;
  for (int i = 0; i < 200; ++i) pattern += "**/";
  for (int i = 0; i < 400; ++i) path += "a/";
  EXPECT_FALSE(GlobMatches(pattern + "b", path + "a"));
  EXPECT_FALSE(GlobMatches(std::string(500, '*') + "b", std::string(1'000, 'a')));
}

TEST(GlobPatternTest, ProblemsAreNamed) {
  EXPECT_EQ(GlobProblem("src/**"), "");
  EXPECT_EQ(GlobProblem("src/"), "");
  EXPECT_EQ(GlobProblem("/src"), "is absolute");
  EXPECT_EQ(GlobProblem("a/../b"), "has a component '.' or '..'");
  EXPECT_EQ(GlobProblem("a**"), "has '**' beside other characters of a component");
}

}  // namespace
}  // namespace slipway::policy
