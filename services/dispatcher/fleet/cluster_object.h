#pragma once

#include <string>

#include "nlohmann/json_fwd.hpp"

namespace slipway::dispatcher {

// A Job or a Pod as far as a host looks at it.
struct ClusterObject {
  enum class Phase {
    kPending,    // Of a pod: not scheduled, or its container does not run yet.
    kRunning,    // Of a job: not finished.
    kSucceeded,  // The agent exited with status 0.
    kFailed,
  };

  std::string name;
  std::string uid;
  std::string agent;  // By its label.
  Phase phase = Phase::kPending;
  bool deleting = false;
  int exit_code = 0;  // Of a pod that ended.

  // What keeps it from running, or ended it: a reason of PodProblem, and the cluster's words.
  std::string reason;
  std::string message;
  // Whether `reason` of a pending pod is final: waiting does not help.
  bool hopeless = false;
};

// IMAGE_PULL_FAILED, IMAGE_INVALID, POD_UNSCHEDULABLE, POD_CONFIG_INVALID, CONTAINER_NOT_STARTED,
// OUT_OF_MEMORY, POD_EVICTED, POD_PREEMPTED, NODE_LOST, DEADLINE_EXCEEDED, AGENT_FAILED.
ClusterObject ReadPod(const nlohmann::json& pod);

// DEADLINE_EXCEEDED, AGENT_FAILED.
ClusterObject ReadJob(const nlohmann::json& job);

// Why the cluster makes no pod for a job, by the text of an event: QUOTA_EXCEEDED, POD_FORBIDDEN,
// POD_REFUSED.
std::string PodRefusalReason(const std::string& message);

}  // namespace slipway::dispatcher
