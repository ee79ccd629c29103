#include "services/dispatcher/domain/path_holds.h"

#include <gmock/gmock.h>

namespace slipway::dispatcher {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PathHoldsTest, AFootprintIsWhatIsLiteralInPatterns) {
  EXPECT_THAT(FootprintOf({"src/a.cc", "docs/**", "src/*/b.cc", "src/x*.h", "lib/"}),
              ElementsAre("docs/", "lib/", "src/", "src/a.cc"));
}

TEST(PathHoldsTest, PatternsThatCanBeAnythingPredictNothing) {
  EXPECT_THAT(FootprintOf({"**", "*.md", "?/a", "/"}), IsEmpty());
  EXPECT_THAT(FootprintOf(std::vector<std::string>(1'000, "src/a.cc")), IsEmpty());
}

struct Case {
  const char* name;
  std::vector<std::string> held;
  std::vector<std::string> asked;
  bool overlaps;
};

class PathHoldsMeet : public ::testing::TestWithParam<Case> {};

TEST_P(PathHoldsMeet, AsTheirPathsDo) {
  PathHolds holds;
  holds.Add("other", FootprintOf({"elsewhere/**", "src-2/**", "srb"}));
  holds.Add("holder", FootprintOf(GetParam().held));
  const auto overlap = holds.Find(FootprintOf(GetParam().asked));
  EXPECT_EQ(overlap.has_value(), GetParam().overlaps);
  EXPECT_EQ(overlap.has_value() ? overlap->holder : "holder", "holder");

  holds.Remove("holder", FootprintOf(GetParam().held));

  EXPECT_FALSE(holds.Find(FootprintOf(GetParam().asked)).has_value());
}

INSTANTIATE_TEST_SUITE_P(
    , PathHoldsMeet,
    ::testing::Values(Case{"TheSameFile", {"src/a.cc"}, {"src/a.cc"}, true},
                      Case{"OtherFiles", {"src/a.cc"}, {"src/b.cc", "src/a.c", "src/a.cc2"}, false},
                      Case{"AFileBelowADirectory", {"src/**"}, {"src/deep/er/a.cc"}, true},
                      Case{"ADirectoryAboveAFile", {"src/deep/a.cc"}, {"src/**"}, true},
                      Case{"NestedDirectories", {"src/deep/**"}, {"src/**"}, true},
                      Case{"NestedTheOtherWay", {"src/**"}, {"src/deep/*.cc"}, true},
                      Case{"SiblingDirectories", {"src/a/**"}, {"src/b/**", "src/ab/**"}, false},
                      Case{"ADirectoryByAnotherPrefix", {"src/**"}, {"src2/**", "src"}, false},
                      Case{"OneOfSeveral", {"x", "y/**"}, {"a", "y/z"}, true}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(PathHoldsTest, TwoHoldersOfOnePathBothHoldIt) {
  PathHolds holds;
  holds.Add("a", {"src/"});
  holds.Add("b", {"src/"});
  holds.Remove("a", {"src/"});
  ASSERT_TRUE(holds.Find({"src/x"}).has_value());
  EXPECT_EQ(holds.Find({"src/x"})->holder, "b");
}

}  // namespace
}  // namespace slipway::dispatcher
