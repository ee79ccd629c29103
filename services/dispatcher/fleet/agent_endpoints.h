#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/http/forward.h"

namespace slipway::dispatcher {

// The directory that one container is given, read-only: a socket that leads to the dispatcher's
// listener for agents, one that leads to the models proxy, and the agent's configuration.
// Everything that the container can reach is in it. The sockets lead somewhere while this object
// exists; the directory stays, so that a later dispatcher can serve a container that lives on.
// Thread-safe.
class AgentEndpoints final {
 public:
  struct Options {
    std::string directory;      // Its parent exists.
    std::string agent_address;  // "unix:/path" or a numeric "host:port".
    std::string proxy_address;
    std::string agent_config;  // Text.
    unsigned uid = 0;          // Who may use it.
  };

  // What the container sees.
  static constexpr char kInside[] = "/run/slipway";
  static constexpr char kAgentSocket[] = "agents.sock";
  static constexpr char kProxySocket[] = "models.sock";
  static constexpr char kConfigFile[] = "agent.yaml";

  static absl::StatusOr<std::unique_ptr<AgentEndpoints>> Open(Options options);

  // Also removes the directory: nobody uses it any more.
  void Remove();

 private:
  explicit AgentEndpoints(std::string directory) : directory_(std::move(directory)) {}

  const std::string directory_;
  std::unique_ptr<http::Forward> dispatcher_;
  std::unique_ptr<http::Forward> proxy_;
};

}  // namespace slipway::dispatcher
