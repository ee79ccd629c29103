#pragma once

#include "services/planner/domain/plan.h"

namespace slipway::planner {

// A task whose estimates alone differ has not changed.
PlanDelta DeltaBetween(const PlanContent& from, const PlanContent& to);

// Gives tasks of `to` that have not changed the estimates that they were approved with: prices may
// have changed since. Sums and critical path are not made anew: see CheckPlan.
void KeepEstimates(const PlanContent& from, PlanContent& to);

// `head` has an amendment; `from` is the approved version and `to` the one that waits.
Amendment DescribeAmendment(const PlanHead& head, const PlanContent& from, const PlanContent& to);

}  // namespace slipway::planner
