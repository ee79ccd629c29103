#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/dispatcher/fleet/kubernetes_host.h"
#include "slipway/config/v1/dispatcher.pb.h"

namespace slipway::dispatcher {

// What a pod is given to find and to be in its cluster.
struct ClusterSurroundings {
  std::string service_host;  // KUBERNETES_SERVICE_HOST
  std::string service_port;
  std::string account_directory;  // Token, authorities and namespace of the service account.

  static ClusterSurroundings FromEnvironment();
};

// The hosts of the kubernetes driver, checked, with their defaults and the configuration of their
// agents. `owner` marks what they make. CONFIG_INVALID.
absl::StatusOr<std::vector<KubernetesHost::Options>> ClustersOf(
    const config::v1::DispatcherConfig& config, const std::string& owner,
    const ClusterSurroundings& around);

}  // namespace slipway::dispatcher
