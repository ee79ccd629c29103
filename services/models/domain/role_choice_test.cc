#include "services/models/domain/role_choice.h"

#include <gtest/gtest.h>

namespace slipway::models {
namespace {

using C = Complexity;
using V = ValidationNeed;

struct Choice {
  const char* name;
  TaskTraits traits;
  const char* role;
};
class ChooseRoleTest : public ::testing::TestWithParam<Choice> {};

TEST_P(ChooseRoleTest, FollowsTheTraits) {
  const RoleChoice choice = ChooseRole(GetParam().traits);

  EXPECT_EQ(choice.role, GetParam().role);
  EXPECT_FALSE(choice.reasons.empty());
}

INSTANTIATE_TEST_SUITE_P(
    , ChooseRoleTest,
    ::testing::Values(
        Choice{"Classification", {"classify", C::kHigh, V::kStrict, 3}, kClassificationWorker},
        Choice{"Plan", {"plan"}, kFrontierReviewer},
        Choice{"Judge", {"judge", C::kTrivial, V::kNone, 1}, kFrontierReviewer},
        Choice{"JudgeInNeed", {"judge", C::kLow, V::kTests, 2}, kEmergencyProReviewer},
        Choice{"Diagnosis", {"diagnose", C::kMedium, V::kTests, 0}, kFrontierReviewer},
        Choice{"ReviewInNeed", {"review", C::kMedium, V::kTests, 9}, kEmergencyProReviewer},
        Choice{"Trivial", {"write", C::kTrivial, V::kTests, 0}, kMechanicalWorker},
        Choice{"Mechanical", {"mechanical", C::kHigh, V::kTests, 0}, kMechanicalWorker},
        Choice{"MechanicalThatFailed", {"mechanical", C::kLow, V::kTests, 1}, kSimpleBuilder},
        Choice{"TrivialThatFailed", {"write", C::kTrivial, V::kTests, 1}, kSimpleBuilder},
        Choice{"TrivialThatFailedTwice", {"write", C::kTrivial, V::kTests, 2}, kGeneralBuilder},
        Choice{"TrivialButDear", {"write", C::kTrivial, V::kStrict, 0}, kGeneralBuilder},
        Choice{"Low", {"write", C::kLow, V::kNone, 0}, kSimpleBuilder},
        Choice{"LowThatFailed", {"write", C::kLow, V::kTests, 1}, kGeneralBuilder},
        Choice{"LowThatFailedTwice", {"write", C::kLow, V::kTests, 2}, kCodingOptimizedBuilder},
        Choice{"LowButDear", {"write", C::kLow, V::kStrict, 0}, kGeneralBuilder},
        Choice{"Medium", {"write", C::kMedium, V::kTests, 0}, kGeneralBuilder},
        Choice{"MediumButDear", {"write", C::kMedium, V::kStrict, 0}, kCodingOptimizedBuilder},
        Choice{"MediumThatFailed", {"write", C::kMedium, V::kTests, 1}, kCodingOptimizedBuilder},
        Choice{"High", {"write", C::kHigh, V::kNone, 0}, kCodingOptimizedBuilder},
        Choice{"HighAndAll", {"write", C::kHigh, V::kStrict, 7}, kCodingOptimizedBuilder},
        Choice{"NegativeDepth", {"write", C::kTrivial, V::kTests, -1}, kMechanicalWorker},
        Choice{"UnknownIntent", {"", C::kMedium, V::kTests, 0}, kGeneralBuilder},
        Choice{"Integration", {"integration", C::kHigh, V::kTests, 0}, kCodingOptimizedBuilder}),
    [](const auto& info) { return std::string(info.param.name); });

struct Raise {
  const char* name;
  const char* named;
  TaskTraits traits;
  const char* role;
};
class RaiseRoleTest : public ::testing::TestWithParam<Raise> {};

TEST_P(RaiseRoleTest, TakesTheRoleOfThePlanForTheLeast) {
  const RoleChoice choice = RaiseRole(GetParam().named, GetParam().traits);

  EXPECT_EQ(choice.role, GetParam().role);
  EXPECT_FALSE(choice.reasons.empty());
}

INSTANTIATE_TEST_SUITE_P(
    , RaiseRoleTest,
    ::testing::Values(
        Raise{"AsNamed", kSimpleBuilder, {"code", C::kLow, V::kTests, 0}, kSimpleBuilder},
        Raise{
            "NamedByAPerson", kCodingOptimizedBuilder, {"docs", C::kLow}, kCodingOptimizedBuilder},
        Raise{"Dear", kSimpleBuilder, {"code", C::kLow, V::kStrict, 0}, kGeneralBuilder},
        Raise{"DearMechanics", kMechanicalWorker, {"docs", C::kLow, V::kStrict, 0}, kSimpleBuilder},
        Raise{"FailedOnce", kMechanicalWorker, {"docs", C::kLow, V::kTests, 1}, kSimpleBuilder},
        Raise{"FailedTwice",
              kSimpleBuilder,
              {"code", C::kLow, V::kTests, 2},
              kCodingOptimizedBuilder},
        Raise{"DearAndFailed",
              kSimpleBuilder,
              {"code", C::kLow, V::kStrict, 1},
              kCodingOptimizedBuilder},
        Raise{"NoneIsStronger",
              kCodingOptimizedBuilder,
              {"code", C::kHigh, V::kStrict, 9},
              kCodingOptimizedBuilder},
        Raise{"HugeDepth",
              kSimpleBuilder,
              {"code", C::kLow, V::kTests, 2'000'000'000},
              kCodingOptimizedBuilder},
        Raise{"NegativeDepth", kSimpleBuilder, {"code", C::kLow, V::kTests, -3}, kSimpleBuilder},
        Raise{"RoleOfItsOwn", "translator", {"docs", C::kHigh, V::kStrict, 3}, "translator"},
        Raise{"Reviewer", kFrontierReviewer, {"code", C::kHigh, V::kStrict, 3}, kFrontierReviewer}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(RaiseRoleReasonsTest, SaysWhyForEachStep) {
  const RoleChoice choice = RaiseRole(kCodingOptimizedBuilder, {"code", C::kHigh, V::kStrict, 1});

  EXPECT_EQ(choice.reasons,
            (std::vector<std::string>{"the plan names coding_optimized_builder for \"code\"",
                                      "a mistake would be dear: one step stronger",
                                      "it has failed 1 time: as many steps stronger",
                                      "no builder is stronger"}));
}

}  // namespace
}  // namespace slipway::models
