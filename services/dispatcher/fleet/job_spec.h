#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace slipway::dispatcher {

// What the labels of a cluster, which allow less than our names, say of a host: its id.
std::string HostLabelOf(const std::string& host);

// Where pods reach a service that they may reach: a numeric "ip:port", and the pods behind it when
// it is an address that the cluster translates.
struct ClusterPeer {
  std::string address;
  std::map<std::string, std::string> pod_labels;  // Empty: the address itself.
  std::string pod_namespace;                      // Of those pods; empty: that of the agents.
};

struct JobOptions {
  std::string image;
  std::string pull_policy;
  std::vector<std::string> pull_secrets;
  std::string program;
  std::string owner;
  std::string host;
  std::string agent;
  std::string runtime_class;
  std::string priority_class;
  std::map<std::string, std::string> node_labels;
  unsigned uid = 0;
  int64_t memory_bytes = 0;
  int64_t milli_cpus = 0;
  int64_t workspace_bytes = 0;
  int64_t temporary_bytes = 0;
};

// The Job of one agent, as JSON: one pod, never restarted nor replaced, removed by the cluster a
// while after it ended. The pod fits the "restricted" standard: no root, no capability, no new
// privileges, the runtime's seccomp filter, a read-only root, no service account, limits on
// everything. The agent is process 1 of its only container. Its token and configuration come from
// a secret of the same name.
std::string JobSpec(const JobOptions& options);

// The secret of that agent, which the cluster removes with its job.
struct AgentSecret {
  std::string agent;
  std::string owner;
  std::string host;
  std::string job_uid;
  std::string token;
  std::string config;
};
std::string SecretSpec(const AgentSecret& secret);

// What the agents' pods of a host may reach: those peers and nothing else; nobody may reach them.
// The policy's name follows from the host's.
struct PolicyOptions {
  std::string owner;
  std::string host;
  std::vector<ClusterPeer> peers;
  std::string resource_version;  // Of the policy that is replaced; empty: there is none.
};
std::string PolicyName(const PolicyOptions& options);
std::string PolicySpec(const PolicyOptions& options);

// Whether `policy`, as the cluster shows it, says what PolicySpec(options) does.
bool IsPolicyOf(const PolicyOptions& options, const std::string& policy,
                std::string& resource_version);

}  // namespace slipway::dispatcher
