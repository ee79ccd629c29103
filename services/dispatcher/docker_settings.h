#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/dispatcher/fleet/docker_host.h"
#include "slipway/config/v1/dispatcher.pb.h"

namespace slipway::dispatcher {

// The hosts of the docker driver, checked, with their defaults and the configuration of their
// agents; makes their socket directories. `owner` marks their containers. CONFIG_INVALID.
absl::StatusOr<std::vector<DockerHost::Options>> EnginesOf(
    const config::v1::DispatcherConfig& config, const std::string& owner);

}  // namespace slipway::dispatcher
