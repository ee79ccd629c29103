#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/planner/domain/plan.h"
#include "services/planner/domain/project.h"

// Values as JSON text for storage. Decoding ignores fields that it does not know and fills in those
// that are missing, so that newer and older programs read each other's rows; text that is not such
// a value at all is DATA_LOSS (STORED_PLAN_INVALID).
namespace slipway::planner {

std::string EncodeContent(const PlanContent& content);
absl::StatusOr<PlanContent> DecodeContent(absl::string_view json);

std::string EncodePolicy(const ProjectPolicy& policy);
absl::StatusOr<ProjectPolicy> DecodePolicy(absl::string_view json);

}  // namespace slipway::planner
