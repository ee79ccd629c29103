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
constexpr const char* kLadder[] = {kMechanicalWorker, kSimpleBuilder, kGeneralBuilder,
                                   kCodingOptimizedBuilder};
constexpr int kStrongest = 3;

// On the ladder; -1 for what is no builder.
int RankOf(const std::string& role) {
  for (int rank = 0; rank <= kStrongest; ++rank) {
    if (role == kLadder[rank]) return rank;
  }
  return -1;
}

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

RoleChoice RaiseRole(const std::string& named, const TaskTraits& traits) {
  RoleChoice choice = {.role = named};
  const int rank = RankOf(named);
  choice.reasons.push_back(absl::StrCat("the plan names ", named, " for \"", traits.intent, "\""));
  if (rank < 0) {
    choice.reasons.push_back("it is no builder: it stays, whatever fails");
    return choice;
  }
  int raised = rank;
  if (traits.validation_need == ValidationNeed::kStrict) {
    ++raised;
    choice.reasons.push_back("a mistake would be dear: one step stronger");
  }
  if (traits.escalation_depth > 0) {
    raised = std::min(raised + traits.escalation_depth, kStrongest + 1);
    choice.reasons.push_back(absl::StrCat("it has failed ", traits.escalation_depth,
                                          traits.escalation_depth == 1 ? " time" : " times",
                                          ": as many steps stronger"));
  }
  if (raised > kStrongest) choice.reasons.push_back("no builder is stronger");
  choice.role = kLadder[std::min(raised, kStrongest)];
  return choice;
}

std::string WeakerBuilder(const std::string& role) {
  const int rank = RankOf(role);
  return rank > 0 ? kLadder[rank - 1] : "";
}

}  // namespace slipway::models
