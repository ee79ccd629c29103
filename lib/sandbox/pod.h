#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace slipway::sandbox {

// An address that a sandbox must not reach, and how long to wait for it to be closed.
struct ClosedAddress {
  std::string host;  // Numeric.
  std::string port;
  absl::Duration connect_timeout = absl::Seconds(2);
  // The rules of a network come to a node a moment after the pod.
  absl::Duration patience = absl::Seconds(20);
};

// SANDBOX_BROKEN when a connection to the address can still be made when the patience ends. Blocks.
absl::Status CheckClosed(const ClosedAddress& address);

// For a Kubernetes pod, whose network is closed by a policy that some clusters take and ignore:
// SANDBOX_BROKEN with the first layer of container.h that is missing, or when the cluster's own
// API, whose address every pod is given, can be reached. Then as EnterContainer.
absl::Status EnterPod();

}  // namespace slipway::sandbox
