#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/planner/domain/plan.h"
#include "services/planner/domain/plan_edit.h"
#include "services/planner/domain/plans.h"
#include "services/planner/domain/project.h"
#include "slipway/common/v1/policy.pb.h"
#include "slipway/planner/v1/planner_service.pb.h"

// Messages as values and back. FromProto checks the shape of names and numbers; the domain checks
// what they mean.
namespace slipway::planner {

absl::StatusOr<Project> FromProto(const v1::Project& project);
v1::Project ToProto(const Project& project);
common::v1::ProjectPolicy ToProto(const ProjectPolicy& policy);

// Everything but spec and content.
v1::Plan ToProto(const PlanHead& head);
v1::Plan ToProto(const Plan& plan);
v1::Amendment ToProto(const Amendment& amendment);

absl::StatusOr<Task> FromProto(const v1::PlanTask& task);
absl::StatusOr<std::vector<Task>> FromProto(
    const google::protobuf::RepeatedPtrField<v1::PlanTask>& tasks);
TaskEdit FromProto(const v1::TaskEdit& edit);
// The parts of a plan that a person may write.
absl::StatusOr<PlanContent> ContentFromProto(const v1::Plan& plan);

absl::StatusOr<Rigor> RigorFromProto(v1::Rigor rigor);
absl::StatusOr<std::string> ProjectIdOf(const std::string& name);
absl::StatusOr<PlanName> PlanNameOf(const std::string& name);

// The size of a page: 0 means the default. PAGE_INVALID when negative.
absl::StatusOr<int> PageSizeOf(int32_t size);

}  // namespace slipway::planner
