#pragma once

#include <string>
#include <vector>

#include "slipway/planner/v1/plan.pb.h"

namespace slipway::cli {

// "version 2 waits for approval": how the change to a running plan stands; empty when there is
// none.
std::string AmendmentStanding(const planner::v1::Plan& plan);

// What it changes, a line each, with what that means for money and time.
std::vector<std::string> AmendmentLines(const planner::v1::Amendment& amendment);

}  // namespace slipway::cli
