#include "services/dispatcher/docker_settings.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/sandbox/spec.h"
#include "services/dispatcher/container_settings.h"

namespace slipway::dispatcher {
namespace {

// With an agent's id and a name it has to fit the 107 bytes of a socket's address.
constexpr size_t kSocketDirectoryMax = 60;

absl::Status CheckSsh(const std::string& host, const config::v1::DockerDriver& docker) {
  if (!SshTunnel::Parse(docker.engine()).has_value()) {
    return WrongHost(host, "needs engine: \"ssh://[user@]host[:port][/path/of/docker.sock]\"");
  }
  for (const std::string& file : {docker.ssh_identity_file(), docker.ssh_known_hosts_file()}) {
    if (!file.empty() && access(file.c_str(), R_OK) != 0) {
      return WrongHost(host, absl::StrCat("names ", file, ", which cannot be read"));
    }
  }
  // It is written into a command for the other machine's shell.
  for (const char c : docker.socket_directory()) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        !absl::StrContains("/._-", absl::string_view(&c, 1))) {
      return WrongHost(host, "needs a socket_directory of [A-Za-z0-9/._-] for ssh");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckEngine(const std::string& host, const config::v1::DockerDriver& docker) {
  if (absl::StartsWith(docker.engine(), "unix:/")) return absl::OkStatus();
  if (absl::StartsWith(docker.engine(), "ssh://")) return CheckSsh(host, docker);
  if (!absl::StartsWith(docker.engine(), "https://")) {
    return WrongHost(host,
                     "needs engine: \"unix:/path\", \"https://host:port\" or "
                     "\"ssh://user@host\"; an engine that "
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
  return absl::OkStatus();
}

absl::StatusOr<unsigned> UidOf(const std::string& host, const config::v1::DockerDriver& docker) {
  const unsigned own = geteuid();
  if (own == 0) return docker.uid() == 0 ? sandbox::kDefaultUid : docker.uid();
  if (docker.uid() == 0 || docker.uid() == own) return own;
  return WrongHost(host, absl::StrCat("must leave uid out or set it to ", own,
                                      ": without root, sockets cannot be given to another user"));
}

void CompleteSsh(const config::v1::DockerDriver& docker, DockerHost::Options& options) {
  SshTunnel::Options& ssh = *options.ssh;
  ssh.identity_file = docker.ssh_identity_file();
  ssh.known_hosts_file = docker.ssh_known_hosts_file();
  ssh.local_directory = options.socket_directory;
  ssh.shared_directory = absl::StrCat(options.socket_directory, "/shared");
  ssh.agent_address = options.agent_address;
  ssh.proxy_address = options.proxy_address;
  ssh.agent_config = options.agent_config;
  ssh.uid = options.uid;
  options.engine.address = absl::StrCat("unix:", SshTunnel(ssh).local_socket());
}

absl::StatusOr<DockerHost::Options> EngineOf(const config::v1::DispatcherConfig& config,
                                             const config::v1::AgentHost& host) {
  const config::v1::DockerDriver& docker = host.docker();
  RETURN_IF_ERROR(CheckDriver(host.name(), docker));
  ASSIGN_OR_RETURN(const ContainerBounds bounds, BoundsOf(host.name(), docker.limits()));
  DockerHost::Options options{.name = absl::StrCat("hosts/", host.name()),
                              .engine = {.address = docker.engine(),
                                         .ca_file = docker.ca_file(),
                                         .certificate_file = docker.certificate_file(),
                                         .key_file = docker.key_file()},
                              .image = docker.image(),
                              .agent_program = docker.agent_program().empty()
                                                   ? kAgentProgramDefault
                                                   : docker.agent_program(),
                              .socket_directory = docker.socket_directory(),
                              .agent_address = config.agent_address(),
                              .proxy_address = config.models_proxy_address(),
                              .memory_bytes = bounds.memory_bytes,
                              .milli_cpus = bounds.milli_cpus,
                              .processes = bounds.processes,
                              .workspace_bytes = bounds.workspace_bytes,
                              .temporary_bytes = bounds.temporary_bytes};
  options.ssh = SshTunnel::Parse(docker.engine());
  if (options.ssh.has_value()) {
    options.uid = docker.uid() == 0 ? sandbox::kDefaultUid : docker.uid();
  } else {
    ASSIGN_OR_RETURN(options.uid, UidOf(host.name(), docker));
  }
  const std::string inside = absl::StrCat("unix:", AgentEndpoints::kInside, "/");
  ASSIGN_OR_RETURN(
      options.agent_config,
      AgentConfigText(host.name(), docker.agent_config(),
                      {.dispatcher_address = absl::StrCat(inside, AgentEndpoints::kAgentSocket),
                       .models_address = absl::StrCat(inside, AgentEndpoints::kProxySocket)}));
  if (const absl::Status made = base::MakeDirectories(options.socket_directory, 0711); !made.ok()) {
    return WrongHost(host.name(), absl::StrCat("socket_directory: ", made.message()));
  }
  if (options.ssh.has_value()) CompleteSsh(docker, options);
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
