#pragma once

#include <string>
#include <vector>

namespace slipway::models {

// The roles that calls are made for; routes say which model serves which. Builders write, reviewers
// diagnose and judge: they never patch.
inline constexpr char kMechanicalWorker[] = "mechanical_worker";
inline constexpr char kClassificationWorker[] = "classification_worker";
inline constexpr char kSimpleBuilder[] = "simple_builder";
inline constexpr char kGeneralBuilder[] = "general_builder";
inline constexpr char kCodingOptimizedBuilder[] = "coding_optimized_builder";
inline constexpr char kFrontierReviewer[] = "frontier_reviewer";
inline constexpr char kEmergencyProReviewer[] = "emergency_pro_reviewer";

enum class Complexity { kTrivial, kLow, kMedium, kHigh };
enum class ValidationNeed { kNone, kTests, kStrict };

// What a role is chosen by.
struct TaskTraits {
  std::string intent;  // "classify", "plan", "judge", "diagnose", "mechanical"; else it is writing.
  Complexity complexity = Complexity::kMedium;
  ValidationNeed validation_need = ValidationNeed::kTests;
  int escalation_depth = 0;  // How often weaker models have failed at it.
};

struct RoleChoice {
  std::string role;
  std::vector<std::string> reasons;  // One line each.
};

// A pure function of the traits: the same traits always get the same role.
RoleChoice ChooseRole(const TaskTraits& traits);

// The role for work for which a plan names one: that builder, or a stronger one where a mistake
// would be dear and for each failure. A role that is no builder stays. A pure function, too.
RoleChoice RaiseRole(const std::string& named, const TaskTraits& traits);

// The builder one step weaker; empty below the weakest and for what is no builder.
std::string WeakerBuilder(const std::string& role);

}  // namespace slipway::models
