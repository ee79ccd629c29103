#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/planner/domain/plan.h"

namespace slipway::planner {

// Reads the plan in a model's reply: one JSON object of kPlanSchema, bare or inside one Markdown
// fence, and nothing else. Everything in it is the word of a model: sizes, types, names and
// duplicates are checked, errors name the place ("$.tasks[3].id"). Whether the tasks make a graph
// is CheckPlan's question.
absl::StatusOr<PlanContent> ReadPlanReply(absl::string_view reply);

}  // namespace slipway::planner
