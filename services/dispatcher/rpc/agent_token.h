#pragma once

#include <grpcpp/server_context.h>

#include <optional>
#include <string>

#include "services/dispatcher/domain/agent_tokens.h"

namespace slipway::dispatcher {

// Who calls, by the metadata "slipway-agent-token"; absent when it is missing or not known.
inline std::optional<AgentIdentity> IdentityOf(const grpc::CallbackServerContext& context,
                                               const AgentTokens& tokens) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("slipway-agent-token");
  if (found == metadata.end()) return std::nullopt;
  return tokens.Find(std::string(found->second.data(), found->second.size()));
}

}  // namespace slipway::dispatcher
