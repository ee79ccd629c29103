#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/planner/domain/project.h"
#include "slipway/common/v1/policy.pb.h"

namespace slipway::planner {

absl::StatusOr<ProjectPolicy> PolicyFromProto(const common::v1::ProjectPolicy& policy);
common::v1::ProjectPolicy ToProto(const ProjectPolicy& policy);

}  // namespace slipway::planner
