#include "agent/domain/path_pattern.h"

#include "gtest/gtest.h"

namespace slipway::agent {
namespace {

TEST(PathPatternTest, AStarStaysWithinItsComponent) {
  EXPECT_TRUE(MatchesPattern("src/*.py", "src/a.py"));
  EXPECT_FALSE(MatchesPattern("src/*.py", "src/a/b.py"));
  EXPECT_FALSE(MatchesPattern("*.py", "src/a.py"));
  EXPECT_TRUE(MatchesPattern("a*b*c", "aXbYbZc"));
}

TEST(PathPatternTest, TwoStarsStandForAnyNumberOfComponents) {
  EXPECT_TRUE(MatchesPattern("**", "a/b/c"));
  EXPECT_TRUE(MatchesPattern("src/**", "src/a/b"));
  EXPECT_TRUE(MatchesPattern("**/test_*.py", "test_a.py"));
  EXPECT_TRUE(MatchesPattern("**/test_*.py", "x/y/test_a.py"));
  EXPECT_FALSE(MatchesPattern("src/**/a", "lib/src/a"));
  EXPECT_TRUE(MatchesPattern("src/**/a", "src/a"));
}

TEST(PathPatternTest, ATrailingSlashMeansAllBelow) {
  EXPECT_TRUE(MatchesPattern("docs/", "docs/a/b"));
  EXPECT_FALSE(MatchesPattern("docs/", "docs2/a"));
}

TEST(PathPatternTest, WithoutStarsItIsThePathItself) {
  EXPECT_TRUE(MatchesPattern("a/b.txt", "a/b.txt"));
  EXPECT_FALSE(MatchesPattern("a/b.txt", "a/b.txt/c"));
}

}  // namespace
}  // namespace slipway::agent
