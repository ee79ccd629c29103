#include "services/models/domain/role_choice.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace slipway::models {
namespace {

// Reviews that have failed this often get the strongest model there is.
constexpr int kEmergencyDepth = 2;

// Builders, weakest first.
constexpr const char* kBuilders[] = {kSimpleBuilder, kGeneralBuilder, kCodingOptimizedBuilder};

RoleChoice ChooseReviewer(const TaskTraits& traits) {
  RoleChoice choice = {.role = kFrontierReviewer,
                       .reasons = {absl::StrCat("\"", traits.intent, "\" diagnoses or judges")}};
  if (traits.escalation_depth < kEmergencyDepth) return choice;
  choice.role = kEmergencyProReviewer;
  choice.reasons.push_back(absl::StrCat("it has failed ", traits.escalation_depth, " times"));
  return choice;
}

RoleChoice ChooseBuilder(const TaskTraits& traits) {
  const bool mechanical =
      traits.intent == "mechanical" || traits.complexity == Complexity::kTrivial;
  const bool strict = traits.validation_need == ValidationNeed::kStrict;
  if (mechanical && !strict && traits.escalation_depth <= 0) {
    return {kMechanicalWorker, {"the work needs no judgement"}};
  }
  RoleChoice choice;
  int rank = 0;
  if (traits.complexity == Complexity::kMedium) rank = 1;
  if (traits.complexity == Complexity::kHigh) rank = 2;
  static constexpr const char* kNames[] = {"trivial", "low", "medium", "high"};
  choice.reasons.push_back(
      absl::StrCat("the work is of ", kNames[static_cast<int>(traits.complexity)], " complexity"));
  if (strict) {
    ++rank;
    choice.reasons.push_back("a mistake would be dear: one step stronger");
  }
  if (traits.escalation_depth > 0) {
    // A mechanical worker's failure is one step already.
    rank += traits.escalation_depth - (mechanical && !strict ? 1 : 0);
    choice.reasons.push_back(absl::StrCat("it has failed ", traits.escalation_depth,
                                          traits.escalation_depth == 1 ? " time" : " times",
                                          ": as many steps stronger"));
  }
  choice.role = kBuilders[std::clamp(rank, 0, 2)];
  return choice;
}

}  // namespace

RoleChoice ChooseRole(const TaskTraits& traits) {
  if (traits.intent == "classify") {
    return {kClassificationWorker, {"\"classify\" needs a label, not a text"}};
  }
  for (const absl::string_view review : {"plan", "judge", "review", "diagnose"}) {
    if (traits.intent == review) return ChooseReviewer(traits);
  }
  return ChooseBuilder(traits);
}

}  // namespace slipway::models
