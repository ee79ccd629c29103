#include "services/dispatcher/kubernetes_settings.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/sandbox/spec.h"
#include "services/dispatcher/container_settings.h"

namespace slipway::dispatcher {
namespace {

constexpr size_t kNamespaceBytesMax = 256;
constexpr size_t kHostNameMax = 40;  // With what stands before it, it names objects.

const char* OrElse(const char* value, const char* otherwise) {
  return value == nullptr ? otherwise : value;
}

bool IsNumericAddress(absl::string_view address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      port < 1 || port > 65'535) {
    return false;
  }
  std::string host(address.substr(0, colon));
  unsigned char bytes[sizeof(in6_addr)];
  if (inet_pton(AF_INET, host.c_str(), bytes) == 1) return true;
  if (!absl::StartsWith(host, "[") || !absl::EndsWith(host, "]")) return false;
  return inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), bytes) == 1;
}

absl::StatusOr<ClusterPeer> PeerOf(const std::string& host, const char* field,
                                   const config::v1::ClusterPeer& peer) {
  if (!IsNumericAddress(absl::StripPrefix(peer.address(), "http://"))) {
    return WrongHost(
        host, absl::StrCat("needs ", field, ".address: a numeric \"ip:port\", as pods reach it"));
  }
  if (peer.pod_labels().empty() && !peer.pod_namespace().empty()) {
    return WrongHost(host, absl::StrCat("has ", field, ".pod_namespace without pod_labels"));
  }
  return ClusterPeer{.address = peer.address(),
                     .pod_labels = {peer.pod_labels().begin(), peer.pod_labels().end()},
                     .pod_namespace = peer.pod_namespace()};
}

absl::Status CheckReadable(const std::string& host, const std::string& file) {
  if (file.empty() || access(file.c_str(), R_OK) == 0) return absl::OkStatus();
  return WrongHost(host, absl::StrCat("names ", file, ", which cannot be read"));
}

absl::StatusOr<KubernetesApi::Options> ApiOf(const std::string& host,
                                             const config::v1::KubernetesDriver& driver,
                                             const ClusterSurroundings& around) {
  KubernetesApi::Options api{.server = std::string(absl::StripSuffix(driver.server(), "/")),
                             .ca_file = driver.ca_file(),
                             .token_file = driver.token_file(),
                             .certificate_file = driver.certificate_file(),
                             .key_file = driver.key_file(),
                             .user_agent = "slipway-dispatcher"};
  if (api.server.empty()) {
    if (around.service_host.empty()) {
      return WrongHost(host, "needs server: the dispatcher does not run in a cluster");
    }
    const bool v6 = absl::StrContains(around.service_host, ":");
    api.server = absl::StrCat("https://", v6 ? "[" : "", around.service_host, v6 ? "]" : "", ":",
                              around.service_port);
  }
  if (!absl::StartsWith(api.server, "https://")) {
    return WrongHost(host, "needs server: \"https://host:port\"; a token is not sent in the clear");
  }
  if (api.certificate_file.empty() != api.key_file.empty()) {
    return WrongHost(host, "needs certificate_file and key_file together");
  }
  if (api.ca_file.empty()) api.ca_file = absl::StrCat(around.account_directory, "/ca.crt");
  if (api.token_file.empty() && api.certificate_file.empty()) {
    api.token_file = absl::StrCat(around.account_directory, "/token");
  }
  for (const std::string& file :
       {api.ca_file, api.token_file, api.certificate_file, api.key_file}) {
    RETURN_IF_ERROR(CheckReadable(host, file));
  }
  return api;
}

absl::StatusOr<std::string> NamespaceOf(const std::string& host, const std::string& configured,
                                        const ClusterSurroundings& around) {
  if (!configured.empty()) return configured;
  const absl::StatusOr<std::string> text =
      base::ReadFile(absl::StrCat(around.account_directory, "/namespace"), kNamespaceBytesMax);
  if (!text.ok()) return WrongHost(host, "needs namespace");
  return std::string(absl::StripAsciiWhitespace(*text));
}

absl::StatusOr<JobOptions> JobOf(const std::string& host,
                                 const config::v1::KubernetesDriver& driver) {
  if (driver.image().empty()) return WrongHost(host, "needs image");
  if (driver.limits().processes() != 0) {
    return WrongHost(host, "must leave limits.processes out: it is podPidsLimit of the nodes");
  }
  ASSIGN_OR_RETURN(const ContainerBounds bounds, BoundsOf(host, driver.limits()));
  JobOptions job{
      .image = driver.image(),
      .pull_policy =
          driver.image_pull_policy().empty() ? "IfNotPresent" : driver.image_pull_policy(),
      .pull_secrets = {driver.image_pull_secrets().begin(), driver.image_pull_secrets().end()},
      .program = driver.agent_program().empty() ? kAgentProgramDefault : driver.agent_program(),
      .runtime_class = driver.runtime_class(),
      .priority_class = driver.priority_class(),
      .node_labels = {driver.node_labels().begin(), driver.node_labels().end()},
      .uid = driver.uid() == 0 ? sandbox::kDefaultUid : driver.uid(),
      .memory_bytes = bounds.memory_bytes,
      .milli_cpus = bounds.milli_cpus,
      .workspace_bytes = bounds.workspace_bytes,
      .temporary_bytes = bounds.temporary_bytes};
  if (job.pull_policy != "IfNotPresent" && job.pull_policy != "Always" &&
      job.pull_policy != "Never") {
    return WrongHost(host, "needs image_pull_policy of IfNotPresent, Always or Never");
  }
  return job;
}

absl::StatusOr<KubernetesHost::Options> ClusterOf(const config::v1::AgentHost& host,
                                                  const std::string& owner,
                                                  const ClusterSurroundings& around) {
  const config::v1::KubernetesDriver& driver = host.kubernetes();
  const std::string& name = host.name();
  if (name.size() > kHostNameMax) {
    return WrongHost(name, absl::StrCat("needs a name of at most ", kHostNameMax, " characters"));
  }
  KubernetesHost::Options options{.name = absl::StrCat("hosts/", name), .owner = owner};
  ASSIGN_OR_RETURN(options.api, ApiOf(name, driver, around));
  ASSIGN_OR_RETURN(options.cluster_namespace, NamespaceOf(name, driver.namespace_(), around));
  ASSIGN_OR_RETURN(options.job, JobOf(name, driver));
  ASSIGN_OR_RETURN(ClusterPeer dispatcher, PeerOf(name, "dispatcher", driver.dispatcher()));
  ASSIGN_OR_RETURN(ClusterPeer models, PeerOf(name, "models", driver.models()));
  if (driver.agent_config().empty()) return WrongHost(name, "needs agent_config");
  ASSIGN_OR_RETURN(options.agent_config,
                   AgentConfigText(name, driver.agent_config(),
                                   {.dispatcher_address = dispatcher.address,
                                    .models_address = absl::StartsWith(models.address, "http://")
                                                          ? models.address
                                                          : absl::StrCat("http://", models.address),
                                    .isolation = config::v1::ISOLATION_POD}));
  options.peers = {std::move(dispatcher), std::move(models)};
  return options;
}

}  // namespace

ClusterSurroundings ClusterSurroundings::FromEnvironment() {
  return {.service_host = OrElse(std::getenv("KUBERNETES_SERVICE_HOST"), ""),
          .service_port = OrElse(std::getenv("KUBERNETES_SERVICE_PORT"), "443"),
          .account_directory = "/var/run/secrets/kubernetes.io/serviceaccount"};
}

absl::StatusOr<std::vector<KubernetesHost::Options>> ClustersOf(
    const config::v1::DispatcherConfig& config, const std::string& owner,
    const ClusterSurroundings& around) {
  std::vector<KubernetesHost::Options> clusters;
  for (const config::v1::AgentHost& host : config.hosts()) {
    if (!host.has_kubernetes()) continue;
    ASSIGN_OR_RETURN(KubernetesHost::Options options, ClusterOf(host, owner, around));
    clusters.push_back(std::move(options));
  }
  return clusters;
}

}  // namespace slipway::dispatcher
