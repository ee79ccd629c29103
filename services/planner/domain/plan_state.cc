#include "services/planner/domain/plan_state.h"

#include <algorithm>

namespace slipway::planner {
namespace {

constexpr PlanStep kSteps[] = {
    {PlanState::kDrafting, PlanState::kProposed, "a reply passed every check"},
    {PlanState::kDrafting, PlanState::kFailed, "no reply passed the checks"},
    {PlanState::kDrafting, PlanState::kRejected, "a person stopped the drafting"},
    {PlanState::kProposed, PlanState::kApproved, "a person approved a version"},
    {PlanState::kProposed, PlanState::kRejected, "a person refused it"},
    {PlanState::kApproved, PlanState::kRunning, "the dispatcher took it over"},
    {PlanState::kRunning, PlanState::kCompleted, "its run succeeded"},
    {PlanState::kRunning, PlanState::kFailed, "its run failed"},
    {PlanState::kRunning, PlanState::kCancelled, "its run was cancelled"},
};

struct StateName {
  PlanState state;
  absl::string_view name;
};
constexpr StateName kNames[] = {
    {PlanState::kDrafting, "DRAFTING"}, {PlanState::kProposed, "PROPOSED"},
    {PlanState::kApproved, "APPROVED"}, {PlanState::kRejected, "REJECTED"},
    {PlanState::kRunning, "RUNNING"},   {PlanState::kCompleted, "COMPLETED"},
    {PlanState::kFailed, "FAILED"},     {PlanState::kCancelled, "CANCELLED"},
};

}  // namespace

absl::Span<const PlanStep> PlanSteps() { return kSteps; }

bool CanStep(PlanState from, PlanState to) {
  return std::any_of(std::begin(kSteps), std::end(kSteps),
                     [&](const PlanStep& step) { return step.from == from && step.to == to; });
}

bool IsFinal(PlanState state) {
  return std::none_of(std::begin(kSteps), std::end(kSteps),
                      [&](const PlanStep& step) { return step.from == state; });
}

absl::string_view PlanStateName(PlanState state) {
  for (const StateName& entry : kNames) {
    if (entry.state == state) return entry.name;
  }
  return "";
}

std::optional<PlanState> PlanStateOf(absl::string_view name) {
  for (const StateName& entry : kNames) {
    if (entry.name == name) return entry.state;
  }
  return std::nullopt;
}

}  // namespace slipway::planner
