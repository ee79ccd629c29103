#pragma once

#include "absl/status/statusor.h"

#include "agent/domain/grant.h"
#include "agent/domain/result.h"
#include "slipway/agent/v1/agent_service.pb.h"

namespace slipway::agent {

// INVALID_ARGUMENT (GRANT_INVALID) when it is not complete.
absl::StatusOr<Grant> GrantFromProto(const v1::Grant& proto);

v1::SubmitResultRequest ResultToProto(const GrantKey& key, const Result& result);

}  // namespace slipway::agent
