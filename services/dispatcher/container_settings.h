#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "slipway/config/v1/agent.pb.h"
#include "slipway/config/v1/dispatcher.pb.h"

namespace slipway::dispatcher {

// What hosts whose agents run in containers have in common. All fail with CONFIG_INVALID.

inline constexpr char kAgentProgramDefault[] = "/usr/local/bin/slipway-agent";

absl::Status WrongHost(const std::string& host, absl::string_view problem);

// `limits` with its defaults.
struct ContainerBounds {
  int64_t memory_bytes = 0;
  int64_t milli_cpus = 0;
  int64_t processes = 0;
  int64_t workspace_bytes = 0;
  int64_t temporary_bytes = 0;
};
absl::StatusOr<ContainerBounds> BoundsOf(const std::string& host,
                                         const config::v1::ContainerLimits& limits);

// The agents' configuration, read from `path`, as it has to be in a container.
struct ContainerAgent {
  std::string dispatcher_address;  // As seen from there.
  std::string models_address;
  config::v1::Isolation isolation = config::v1::ISOLATION_CONTAINER;
};
absl::StatusOr<std::string> AgentConfigText(const std::string& host, const std::string& path,
                                            const ContainerAgent& agent);

}  // namespace slipway::dispatcher
