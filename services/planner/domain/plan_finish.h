#pragma once

#include "absl/status/status.h"
#include "services/planner/domain/model_client.h"
#include "services/planner/domain/plan.h"
#include "services/planner/domain/project.h"

namespace slipway::planner {

// Makes a proposal of what a model, a program or a person wrote: normalizes it, chooses roles where
// nobody did, estimates, and checks (see CheckPlan). Roles without a known price become a risk.
absl::Status FinishPlan(const ProjectPolicy& policy, ModelClient& models, PlanContent& content);

}  // namespace slipway::planner
