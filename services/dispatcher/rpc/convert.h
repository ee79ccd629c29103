#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/dispatcher/domain/agent_fleet.h"
#include "services/dispatcher/domain/amendment.h"
#include "services/dispatcher/domain/attempt.h"
#include "services/dispatcher/domain/audit_report.h"
#include "services/dispatcher/domain/checkpoint.h"
#include "services/dispatcher/domain/run.h"
#include "services/dispatcher/domain/scheduling.h"
#include "services/dispatcher/domain/task.h"
#include "slipway/common/v1/policy.pb.h"
#include "slipway/dispatcher/v1/dispatcher_service.pb.h"
#include "slipway/dispatcher/v1/task.pb.h"

namespace slipway::dispatcher {

// NAME_INVALID, TASK_INVALID; what the plan means is checked by CheckPlan.
absl::StatusOr<PlanSpec> PlanSpecFromProto(const v1::PlanSpec& proto);

// NAME_INVALID; what it means is checked by AmendFlow.
absl::StatusOr<PlanAmendment> AmendmentFromProto(const v1::PlanAmendment& proto);

Validator ValidatorFromProto(const common::v1::Validator& proto);
void ToProto(const Validator& validator, common::v1::Validator& proto);

// `counts` are those of the run's tasks.
void ToProto(const Run& run, bool paused, const std::vector<std::pair<TaskState, int>>& counts,
             v1::Run& proto);
void ToProto(const Task& task, v1::Task& proto);
// Why a task waits for an agent.
void ToProto(const Wait& wait, v1::Wait& proto);
void ToProto(const Attempt& attempt, int64_t log_bytes, v1::Attempt& proto);
void ToProto(const Checkpoint& checkpoint, v1::Checkpoint& proto);
void ToProto(const HostStatus& host, v1::Host& proto);

v1::AuditResponse AuditToProto(const AuditResult& result);

}  // namespace slipway::dispatcher
