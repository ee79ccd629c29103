#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/dispatcher/domain/attempt.h"
#include "services/dispatcher/domain/checkpoint.h"
#include "services/dispatcher/domain/policy.h"
#include "services/dispatcher/domain/scheduling.h"
#include "services/dispatcher/domain/task.h"

// The parts of a row that no query looks into, as JSON. Reading fails with DATA_LOSS (ROW_JSON).
// Fields that are missing have their defaults, so that they can be added.
namespace slipway::dispatcher {

std::string ToJson(const TaskSpec& spec);
absl::StatusOr<TaskSpec> TaskSpecFromJson(const std::string& text);

std::string ToJson(const Progress& progress);
absl::StatusOr<Progress> ProgressFromJson(const std::string& text);

std::string ToJson(const RunPolicy& policy);
absl::StatusOr<RunPolicy> RunPolicyFromJson(const std::string& text);

std::string ToJson(const GrantRules& rules);
absl::StatusOr<GrantRules> GrantRulesFromJson(const std::string& text);

std::string ToJson(const std::vector<std::string>& strings);
absl::StatusOr<std::vector<std::string>> StringsFromJson(const std::string& text);

std::string ToJson(const Diagnosis& diagnosis);
absl::StatusOr<Diagnosis> DiagnosisFromJson(const std::string& text);

std::string ToJson(const EvidenceResult& evidence);
absl::StatusOr<EvidenceResult> EvidenceFromJson(const std::string& text);

}  // namespace slipway::dispatcher
