#include "services/dispatcher/domain/agent_tokens.h"

#include <utility>

#include "lib/base/digest.h"

namespace slipway::dispatcher {

std::string AgentTokens::Digest(const std::string& token) { return base::Sha256Hex(token); }

void AgentTokens::Add(const std::string& token, AgentIdentity identity) {
  AddDigest(Digest(token), std::move(identity));
}

void AgentTokens::AddDigest(const std::string& digest, AgentIdentity identity) {
  base::MutexLock lock(mutex_);
  by_digest_[digest] = std::move(identity);
}

void AgentTokens::Remove(const std::string& agent) {
  base::MutexLock lock(mutex_);
  std::erase_if(by_digest_, [&](const auto& entry) { return entry.second.agent == agent; });
}

std::optional<AgentIdentity> AgentTokens::Find(const std::string& token) const {
  // Looked up by digest: what a guess shares with a token does not show in the time it takes.
  base::MutexLock lock(mutex_);
  const auto found = by_digest_.find(base::Sha256Hex(token));
  if (token.empty() || found == by_digest_.end()) return std::nullopt;
  return found->second;
}

}  // namespace slipway::dispatcher
