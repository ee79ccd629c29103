#include "services/dispatcher/docker_settings.h"

#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/sandbox/spec.h"
#include "nlohmann/json.hpp"
#include "services/dispatcher/fleet/container_spec.h"
#include "slipway/config/v1/agent.pb.h"

namespace slipway::dispatcher {
namespace {

constexpr char kProgramDefault[] = "/usr/local/bin/slipway-agent";
constexpr int64_t kMemoryDefault = int64_t{2} << 30;
constexpr int64_t kMemoryMin = int64_t{64} << 20;  // The agent itself takes 30 MiB.
constexpr int64_t kMilliCpusDefault = 2'000;
constexpr int64_t kProcessesDefault = 512;
constexpr int64_t kProcessesMin = 32;  // Of the agent's threads alone there are some 20.
constexpr int64_t kWorkspaceDefault = int64_t{1} << 30;
constexpr int64_t kTemporaryDefault = int64_t{256} << 20;
// With an agent's id and a name it has to fit the 107 bytes of a socket's address.
constexpr size_t kSocketDirectoryMax = 60;

absl::Status WrongHost(const std::string& host, absl::string_view problem) {
  const std::string field = absl::StrCat("hosts '", host, "'");
  return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                     absl::StrCat(field, " ", problem), {{"field", field}});
}

int64_t OrDefault(int64_t value, int64_t otherwise) { return value == 0 ? otherwise : value; }

absl::Status CheckEngine(const std::string& host, const config::v1::DockerDriver& docker) {
  if (absl::StartsWith(docker.engine(), "unix:/")) return absl::OkStatus();
  if (!absl::StartsWith(docker.engine(), "https://")) {
    return WrongHost(host,
                     "needs engine: \"unix:/path\" or \"https://host:port\"; an engine that "
                     "serves TCP without certificates gives its machine to everybody");
  }
  for (const std::string& file : {docker.ca_file(), docker.certificate_file(), docker.key_file()}) {
    if (file.empty())
      return WrongHost(host, "needs ca_file, certificate_file and key_file for https");
    if (access(file.c_str(), R_OK) != 0) {
      return WrongHost(host, absl::StrCat("names ", file, ", which cannot be read"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDriver(const std::string& host, const config::v1::DockerDriver& docker) {
  RETURN_IF_ERROR(CheckEngine(host, docker));
  if (docker.image().empty()) return WrongHost(host, "needs image");
  if (docker.agent_config().empty()) return WrongHost(host, "needs agent_config");
  const std::string& directory = docker.socket_directory();
  if (directory.empty() || directory[0] != '/' || directory.size() > kSocketDirectoryMax ||
      absl::StrContains(directory, ":")) {
    return WrongHost(host, absl::StrCat("needs socket_directory: an absolute path of at most ",
                                        kSocketDirectoryMax, " bytes without ':'"));
  }
  const config::v1::ContainerLimits& limits = docker.limits();
  if (limits.memory_bytes() != 0 && limits.memory_bytes() < kMemoryMin) {
    return WrongHost(host, absl::StrCat("needs memory_bytes of at least ", kMemoryMin));
  }
  if (limits.processes() != 0 && limits.processes() < kProcessesMin) {
    return WrongHost(host, absl::StrCat("needs processes of at least ", kProcessesMin));
  }
  if (limits.milli_cpus() < 0 || limits.workspace_bytes() < 0 || limits.temporary_bytes() < 0) {
    return WrongHost(host, "has a negative limit");
  }
  return absl::OkStatus();
}

// Numbers of 64 bits are text in the JSON of protos, and numbers in configuration.
void UnquoteNumbers(nlohmann::json& value) {
  for (auto& [key, member] : value.items()) {
    int64_t number = 0;
    if (member.is_object()) {
      UnquoteNumbers(member);
    } else if (absl::EndsWith(key, "_bytes") && member.is_string() &&
               absl::SimpleAtoi(member.get<std::string>(), &number)) {
      member = number;
    }
  }
}

// The agents' configuration as it has to be in a container.
absl::StatusOr<std::string> AgentConfigText(const std::string& host, const std::string& path) {
  absl::StatusOr<config::v1::AgentConfig> agent = config::Load<config::v1::AgentConfig>(path);
  if (!agent.ok()) return WrongHost(host, absl::StrCat("agent_config: ", agent.status().message()));
  const std::string inside = absl::StrCat("unix:", AgentEndpoints::kInside, "/");
  agent->set_dispatcher_address(absl::StrCat(inside, AgentEndpoints::kAgentSocket));
  agent->set_models_address(absl::StrCat(inside, AgentEndpoints::kProxySocket));
  agent->set_isolation(config::v1::ISOLATION_CONTAINER);
  agent->set_workspace_directory(kWorkDirectory);
  agent->clear_snapshot_cache_directory();
  agent->set_snapshot_cache_bytes(-1);  // Nothing of a container is there for the next one.
  agent->set_attempts_max(1);
  agent->clear_sandbox_uid();
  std::string json;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  if (!google::protobuf::util::MessageToJsonString(*agent, &json, options).ok()) {
    return WrongHost(host, "agent_config cannot be written for a container");
  }
  nlohmann::json value = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  UnquoteNumbers(value);
  return value.dump();
}

absl::StatusOr<unsigned> UidOf(const std::string& host, const config::v1::DockerDriver& docker) {
  const unsigned own = geteuid();
  if (own == 0) return docker.uid() == 0 ? sandbox::kDefaultUid : docker.uid();
  if (docker.uid() == 0 || docker.uid() == own) return own;
  return WrongHost(host, absl::StrCat("must leave uid out or set it to ", own,
                                      ": without root, sockets cannot be given to another user"));
}

absl::StatusOr<DockerHost::Options> EngineOf(const config::v1::DispatcherConfig& config,
                                             const config::v1::AgentHost& host) {
  const config::v1::DockerDriver& docker = host.docker();
  RETURN_IF_ERROR(CheckDriver(host.name(), docker));
  const config::v1::ContainerLimits& limits = docker.limits();
  DockerHost::Options options{
      .name = absl::StrCat("hosts/", host.name()),
      .engine = {.address = docker.engine(),
                 .ca_file = docker.ca_file(),
                 .certificate_file = docker.certificate_file(),
                 .key_file = docker.key_file()},
      .image = docker.image(),
      .agent_program = docker.agent_program().empty() ? kProgramDefault : docker.agent_program(),
      .socket_directory = docker.socket_directory(),
      .agent_address = config.agent_address(),
      .proxy_address = config.models_proxy_address(),
      .memory_bytes = OrDefault(limits.memory_bytes(), kMemoryDefault),
      .milli_cpus = OrDefault(limits.milli_cpus(), kMilliCpusDefault),
      .processes = OrDefault(limits.processes(), kProcessesDefault),
      .workspace_bytes = OrDefault(limits.workspace_bytes(), kWorkspaceDefault),
      .temporary_bytes = OrDefault(limits.temporary_bytes(), kTemporaryDefault)};
  ASSIGN_OR_RETURN(options.uid, UidOf(host.name(), docker));
  ASSIGN_OR_RETURN(options.agent_config, AgentConfigText(host.name(), docker.agent_config()));
  if (const absl::Status made = base::MakeDirectories(options.socket_directory, 0711); !made.ok()) {
    return WrongHost(host.name(), absl::StrCat("socket_directory: ", made.message()));
  }
  return options;
}

}  // namespace

absl::StatusOr<std::vector<DockerHost::Options>> EnginesOf(
    const config::v1::DispatcherConfig& config, const std::string& owner) {
  std::vector<DockerHost::Options> engines;
  for (const config::v1::AgentHost& host : config.hosts()) {
    if (!host.has_docker()) continue;
    if (config.models_proxy_address().empty()) {
      return WrongHost(host.name(), "needs models_proxy_address to be set");
    }
    ASSIGN_OR_RETURN(DockerHost::Options options, EngineOf(config, host));
    options.owner = owner;
    engines.push_back(std::move(options));
  }
  return engines;
}

}  // namespace slipway::dispatcher
