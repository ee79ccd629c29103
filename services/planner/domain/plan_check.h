#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/planner/domain/plan.h"

namespace slipway::planner {

// The id of the task in which a plan is integrated; no plan may have a task of that id.
inline constexpr char kReservedTask[] = "integration";

// Makes what was written into what is meant: trims ids and titles, completes a pattern "src/" to
// "src/**", drops repeated dependencies, gives every task a title and an intent.
void NormalizePlan(PlanContent& content);

// Checks everything that code can check about a plan: its tasks one by one (TASK_INVALID,
// PATH_OUTSIDE), its graph (PLAN_EMPTY, TASK_DUPLICATE, DEPENDENCY_UNKNOWN, PLAN_CYCLE), its
// requirements (REQUIREMENT_INVALID) and its size (PLAN_TOO_LARGE). When all is well, puts the
// tasks in topological order and sets waves, critical path and the plan's estimates from its
// tasks'.
absl::Status CheckPlan(PlanContent& content);

// Ids of the requirements that no task meets, in order.
std::vector<std::string> UncoveredRequirements(const PlanContent& content);

// SPEC_EMPTY, SPEC_TOO_LARGE or SPEC_NOT_TEXT.
absl::Status CheckSpec(absl::string_view spec);

// The first heading or line of a spec that has text, without its marks.
std::string TitleOf(absl::string_view spec);

}  // namespace slipway::planner
