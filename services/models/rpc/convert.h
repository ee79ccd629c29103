#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "services/models/domain/attempt_keys.h"
#include "services/models/domain/calibration.h"
#include "services/models/domain/call.h"
#include "services/models/domain/gate.h"
#include "services/models/domain/role_choice.h"
#include "services/models/domain/route.h"
#include "slipway/ledger/v1/budget.pb.h"
#include "slipway/ledger/v1/usage.pb.h"
#include "slipway/models/v1/models_service.pb.h"

namespace slipway::models {

// Checks the shape of a request. Fails with PromptInvalid.
absl::StatusOr<CallSpec> CallSpecFromProto(const v1::GenerateRequest& request);
AttemptKeys::Issue IssueFromProto(const v1::IssueAttemptKeyRequest& request);

Scopes ScopesFromProto(const ledger::v1::ScopePath& scopes);
ledger::v1::ScopePath ScopesToProto(const Scopes& scopes);
ledger::v1::TokenCounts TokensToProto(const TokenCounts& tokens);
v1::GenerateResponse::Outcome OutcomeToProto(const CallOutcome& outcome);
TaskTraits TraitsFromProto(const std::string& intent, const v1::TaskTraits& proto);
v1::Call CallToProto(const CallRecord& record);
v1::RoleDecision DecisionToProto(const RoleDecision& decision);
v1::Route RouteToProto(const Route& route);
v1::InputCalibration CalibrationToProto(const InputCalibration& calibration);
v1::Gate GateToProto(const Gate& gate);

}  // namespace slipway::models
