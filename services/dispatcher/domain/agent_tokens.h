#pragma once

#include <map>
#include <optional>
#include <string>

#include "lib/base/mutex.h"

namespace slipway::dispatcher {

// Who a token stands for.
struct AgentIdentity {
  std::string host;   // hosts/{h}
  std::string agent;  // Empty: any agent of an external host.
  bool process() const { return !agent.empty(); }
};

// The tokens that agents may show, kept as digests in memory: those of child processes die with the
// dispatcher, as the processes do; those of containers come back with their intents. Thread-safe.
class AgentTokens final {
 public:
  static std::string Digest(const std::string& token);

  void Add(const std::string& token, AgentIdentity identity);
  void AddDigest(const std::string& digest, AgentIdentity identity);
  void Remove(const std::string& agent);
  std::optional<AgentIdentity> Find(const std::string& token) const;

 private:
  mutable base::Mutex mutex_;
  std::map<std::string, AgentIdentity> by_digest_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::dispatcher
