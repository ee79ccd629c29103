#pragma once

#include "absl/status/statusor.h"
#include "services/dispatcher/domain/agent_session.h"
#include "services/dispatcher/domain/attempt.h"
#include "slipway/agent/v1/agent_service.pb.h"

namespace slipway::dispatcher {

// The attempt that a message of an agent names. NAME_INVALID when the name and the epoch differ.
absl::StatusOr<AttemptKey> KeyFromProto(const std::string& attempt, int64_t epoch);

// HELLO_MISSING, PROTOCOL_UNSUPPORTED, NAME_INVALID.
absl::StatusOr<AgentHello> HelloFromProto(const agent::v1::SessionRequest& proto);
// Grants whose names cannot be read are left out.
AgentBeat BeatFromProto(const agent::v1::Beat& proto);

agent::v1::SubmitResultResponse::Receipt ToProto(Receipt receipt);
agent::v1::SessionResponse OrderToProto(const AgentOrder& order);

// The newest version that both sides speak.
int ProtocolOf(const agent::v1::Hello& hello);

// RESULT_MISSING, RESULT_TOO_LARGE.
absl::StatusOr<AttemptResult> ResultFromProto(const agent::v1::SubmitResultRequest& proto);

}  // namespace slipway::dispatcher
