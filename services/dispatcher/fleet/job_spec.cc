#include "services/dispatcher/fleet/job_spec.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/fleet/agent_endpoints.h"
#include "services/dispatcher/fleet/container_spec.h"

namespace slipway::dispatcher {
namespace {

using nlohmann::json;

// What a dispatcher that is away does not remove goes by itself.
constexpr absl::Duration kKeepFinished = absl::Minutes(10);
constexpr int kTerminationSeconds = 10;

// A pod writes nothing to its node but a log.
constexpr char kEphemeralStorage[] = "64Mi";

json LabelsOf(const std::string& owner, const std::string& host, const std::string& agent) {
  json labels = {{kOwnerLabel, owner},
                 {kHostLabel, HostLabelOf(host)},
                 {"app.kubernetes.io/name", "slipway-agent"},
                 {"app.kubernetes.io/managed-by", "slipway-dispatcher"}};
  if (!agent.empty()) labels[kAgentLabel] = agent;
  return labels;
}

std::string NameOfAgent(const std::string& agent) { return absl::StrCat("slipway-", agent); }

json InMemory(const char* name, int64_t bytes) {
  return {{"name", name}, {"emptyDir", {{"medium", "Memory"}, {"sizeLimit", absl::StrCat(bytes)}}}};
}

json ContainerOf(const JobOptions& options) {
  const std::string name = NameOfAgent(options.agent);
  const json resources = {{"cpu", absl::StrCat(options.milli_cpus, "m")},
                          {"memory", absl::StrCat(options.memory_bytes)},
                          {"ephemeral-storage", kEphemeralStorage}};
  return {{"name", "agent"},
          {"image", options.image},
          {"imagePullPolicy", options.pull_policy},
          {"command", {options.program}},
          {"args",
           {"--config", absl::StrCat(AgentEndpoints::kInside, "/", AgentEndpoints::kConfigFile)}},
          {"workingDir", kWorkDirectory},
          {"env",
           {{{"name", "SLIPWAY_AGENT_ID"}, {"value", options.agent}},
            {{"name", "SLIPWAY_AGENT_HOST"}, {"value", HostLabelOf(options.host)}},
            {{"name", "HOME"}, {"value", "/home/agent"}},
            {{"name", "SLIPWAY_AGENT_TOKEN"},
             {"valueFrom", {{"secretKeyRef", {{"name", name}, {"key", "token"}}}}}}}},
          {"securityContext",
           {{"allowPrivilegeEscalation", false},
            {"privileged", false},
            {"readOnlyRootFilesystem", true},
            {"runAsNonRoot", true},
            {"capabilities", {{"drop", {"ALL"}}}},
            {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
          {"resources", {{"limits", resources}, {"requests", resources}}},
          // The last of what it printed is in its status then, and nobody has to read logs.
          {"terminationMessagePolicy", "FallbackToLogsOnError"},
          {"volumeMounts",
           {{{"name", "config"}, {"mountPath", AgentEndpoints::kInside}, {"readOnly", true}},
            {{"name", "work"}, {"mountPath", kWorkDirectory}},
            {{"name", "home"}, {"mountPath", "/home/agent"}},
            {{"name", "tmp"}, {"mountPath", "/tmp"}}}}};
}

json PodOf(const JobOptions& options) {
  json pod = {
      {"restartPolicy", "Never"},
      {"automountServiceAccountToken", false},
      {"enableServiceLinks", false},
      {"hostNetwork", false},
      {"hostPID", false},
      {"hostIPC", false},
      {"shareProcessNamespace", false},
      {"terminationGracePeriodSeconds", kTerminationSeconds},
      // It is given addresses: a name server is one way out more.
      {"dnsPolicy", "None"},
      {"dnsConfig", {{"nameservers", {"127.0.0.1"}}}},
      {"securityContext",
       {{"runAsNonRoot", true},
        {"runAsUser", options.uid},
        {"runAsGroup", options.uid},
        {"fsGroup", options.uid},
        {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
      {"containers", json::array({ContainerOf(options)})},
      {"volumes",
       {{{"name", "config"},
         {"secret",
          {{"secretName", NameOfAgent(options.agent)},
           {"defaultMode", 0440},
           {"items",
            {{{"key", AgentEndpoints::kConfigFile}, {"path", AgentEndpoints::kConfigFile}}}}}}},
        InMemory("work", options.workspace_bytes),
        InMemory("home", options.temporary_bytes),
        InMemory("tmp", options.temporary_bytes)}}};
  for (const std::string& secret : options.pull_secrets) {
    pod["imagePullSecrets"].push_back({{"name", secret}});
  }
  if (!options.runtime_class.empty()) pod["runtimeClassName"] = options.runtime_class;
  if (!options.priority_class.empty()) pod["priorityClassName"] = options.priority_class;
  if (!options.node_labels.empty()) pod["nodeSelector"] = options.node_labels;
  return pod;
}

json EgressTo(const ClusterPeer& peer, const std::string& host_port) {
  const size_t colon = host_port.rfind(':');
  int port = 0;
  if (!absl::SimpleAtoi(host_port.substr(colon + 1), &port)) port = 0;
  json to;
  if (peer.pod_labels.empty()) {
    std::string ip = host_port.substr(0, colon);
    const bool v6 = absl::StartsWith(ip, "[");
    if (v6) ip = ip.substr(1, ip.size() - 2);
    to = {{"ipBlock", {{"cidr", absl::StrCat(ip, v6 ? "/128" : "/32")}}}};
  } else {
    to = {{"podSelector", {{"matchLabels", peer.pod_labels}}}};
    if (!peer.pod_namespace.empty()) {
      to["namespaceSelector"] = {
          {"matchLabels", {{"kubernetes.io/metadata.name", peer.pod_namespace}}}};
    }
  }
  return {{"to", json::array({to})},
          {"ports", json::array({{{"protocol", "TCP"}, {"port", port}}})}};
}

json PolicyBody(const PolicyOptions& options) {
  json egress = json::array();
  for (const ClusterPeer& peer : options.peers) {
    egress.push_back(EgressTo(peer, std::string(absl::StripPrefix(peer.address, "http://"))));
  }
  // By host and owner alone, so that there is no pod of this host which it does not cover.
  return {
      {"podSelector",
       {{"matchLabels", {{kOwnerLabel, options.owner}, {kHostLabel, HostLabelOf(options.host)}}}}},
      {"policyTypes", {"Ingress", "Egress"}},
      {"egress", egress}};
}

}  // namespace

std::string HostLabelOf(const std::string& host) {
  return std::string(absl::StripPrefix(host, "hosts/"));
}

std::string JobSpec(const JobOptions& options) {
  const json labels = LabelsOf(options.owner, options.host, options.agent);
  const json job = {
      {"apiVersion", "batch/v1"},
      {"kind", "Job"},
      {"metadata", {{"name", NameOfAgent(options.agent)}, {"labels", labels}}},
      {"spec",
       {{"parallelism", 1},
        {"completions", 1},
        {"backoffLimit", 0},
        {"podReplacementPolicy", "Failed"},
        {"activeDeadlineSeconds", absl::ToInt64Seconds(kContainerLifetimeMax)},
        {"ttlSecondsAfterFinished", absl::ToInt64Seconds(kKeepFinished)},
        {"template",
         {{"metadata",
           {{"labels", labels},
            // Work of an hour is not moved to save a node.
            {"annotations", {{"cluster-autoscaler.kubernetes.io/safe-to-evict", "false"}}}}},
          {"spec", PodOf(options)}}}}}};
  return job.dump();
}

std::string SecretSpec(const AgentSecret& secret) {
  const std::string name = NameOfAgent(secret.agent);
  const json spec = {
      {"apiVersion", "v1"},
      {"kind", "Secret"},
      {"metadata",
       {{"name", name},
        {"labels", LabelsOf(secret.owner, secret.host, secret.agent)},
        {"ownerReferences", json::array({{{"apiVersion", "batch/v1"},
                                          {"kind", "Job"},
                                          {"name", name},
                                          {"uid", secret.job_uid},
                                          {"controller", false},
                                          {"blockOwnerDeletion", false}}})}}},
      {"type", "Opaque"},
      {"immutable", true},
      {"stringData", {{"token", secret.token}, {AgentEndpoints::kConfigFile, secret.config}}}};
  return spec.dump();
}

std::string PolicyName(const PolicyOptions& options) {
  return absl::StrCat("slipway-agents-", HostLabelOf(options.host));
}

std::string PolicySpec(const PolicyOptions& options) {
  json metadata = {{"name", PolicyName(options)},
                   {"labels", LabelsOf(options.owner, options.host, "")}};
  if (!options.resource_version.empty()) metadata["resourceVersion"] = options.resource_version;
  const json policy = {{"apiVersion", "networking.k8s.io/v1"},
                       {"kind", "NetworkPolicy"},
                       {"metadata", metadata},
                       {"spec", PolicyBody(options)}};
  return policy.dump();
}

bool IsPolicyOf(const PolicyOptions& options, const std::string& policy,
                std::string& resource_version) {
  const json shown = json::parse(policy, nullptr, /*allow_exceptions=*/false);
  if (!shown.is_object() || !shown.contains("metadata") || !shown.contains("spec")) return false;
  const json& metadata = shown["metadata"];
  if (metadata.is_object() && metadata.contains("resourceVersion") &&
      metadata["resourceVersion"].is_string()) {
    resource_version = metadata["resourceVersion"].get<std::string>();
  }
  return shown["spec"] == PolicyBody(options);
}

}  // namespace slipway::dispatcher
