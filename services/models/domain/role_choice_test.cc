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

}  // namespace
}  // namespace slipway::models
