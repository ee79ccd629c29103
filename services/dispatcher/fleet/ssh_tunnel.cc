#include "services/dispatcher/fleet/ssh_tunnel.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/dispatcher/fleet/agent_endpoints.h"

namespace slipway::dispatcher {
namespace {

constexpr absl::Duration kSshCommandTimeout = absl::Seconds(20);
constexpr absl::Duration kSshForwardTimeout = absl::Seconds(15);
constexpr absl::Duration kSshLookInterval = absl::Milliseconds(50);
constexpr size_t kSshTextMax = 16 << 10;
constexpr char kEngineSocketDefault[] = "/var/run/docker.sock";

// The last line that says something.
std::string LastLineOf(const std::string& text) {
  const absl::string_view whole = absl::StripAsciiWhitespace(text);
  const size_t line = whole.rfind('\n');
  return base::ToUtf8(line == absl::string_view::npos ? whole : whole.substr(line + 1), 300);
}

absl::Status SshFailure(const std::string& text) {
  return absl::UnavailableError(absl::StrCat(SshReason(text), ": ", LastLineOf(text)));
}

// As ssh writes an end of a forward.
std::string EndOf(const std::string& address) {
  return std::string(
      absl::StripSuffix(absl::StripPrefix(absl::StripPrefix(address, "unix:"), "http://"), "/"));
}

}  // namespace

std::string SshReason(const std::string& text) {
  if (absl::StrContains(text, "Host key verification failed")) return "SSH_HOST_UNTRUSTED";
  if (absl::StrContains(text, "Permission denied") ||
      absl::StrContains(text, "Too many authentication failures")) {
    return "SSH_LOGIN_REFUSED";
  }
  if (absl::StrContains(text, "forwarding failed") ||
      absl::StrContains(text, "forwarding request failed")) {
    return "SSH_FORWARD_REFUSED";
  }
  for (const char* const words : {"Connection refused", "Could not resolve", "timed out",
                                  "No route to host", "Connection reset", "Connection closed"}) {
    if (absl::StrContains(text, words)) return "SSH_UNREACHABLE";
  }
  return "SSH_FAILED";
}

std::optional<SshTunnel::Options> SshTunnel::Parse(const std::string& address) {
  absl::string_view rest = address;
  if (!absl::ConsumePrefix(&rest, "ssh://")) return std::nullopt;
  Options options{.engine_socket = kEngineSocketDefault};
  const size_t slash = rest.find('/');
  if (slash != absl::string_view::npos && slash + 1 < rest.size()) {
    options.engine_socket = std::string(rest.substr(slash));
  }
  rest = rest.substr(0, slash);
  const size_t colon = rest.rfind(':');
  if (colon != absl::string_view::npos) {
    if (!absl::SimpleAtoi(rest.substr(colon + 1), &options.port) || options.port < 1 ||
        options.port > 65'535) {
      return std::nullopt;
    }
    rest = rest.substr(0, colon);
  }
  options.target = std::string(rest);
  // What begins with '-' is an option to ssh.
  if (options.target.empty() || options.target[0] == '-') return std::nullopt;
  for (const char c : options.target + options.engine_socket) {
    const bool plain = absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                       absl::StrContains("@._-/", absl::string_view(&c, 1));
    if (!plain) return std::nullopt;
  }
  return options;
}

std::vector<std::string> SshTunnel::Command(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command = {"ssh", "-T",
                                      "-o",  "BatchMode=yes",
                                      "-o",  "StrictHostKeyChecking=yes",
                                      "-o",  "ConnectTimeout=10",
                                      "-o",  "ServerAliveInterval=5",
                                      "-o",  "ServerAliveCountMax=3"};
  const auto add = [&](std::initializer_list<std::string> more) {
    command.insert(command.end(), more);
  };
  if (options_.port != 0) add({"-p", absl::StrCat(options_.port)});
  if (!options_.identity_file.empty()) {
    add({"-i", options_.identity_file, "-o", "IdentitiesOnly=yes"});
  }
  if (!options_.known_hosts_file.empty()) {
    add({"-o", absl::StrCat("UserKnownHostsFile=", options_.known_hosts_file)});
  }
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

absl::StatusOr<std::string> SshTunnel::RunThere(const std::string& script,
                                                const std::string& input) const {
  ASSIGN_OR_RETURN(
      const base::CommandResult result,
      base::RunCommand({.argv = Command({options_.target, script}), .inherit_env = true},
                       kSshCommandTimeout, input, kSshTextMax));
  if (result.timed_out) return absl::UnavailableError("SSH_UNREACHABLE: no answer in time");
  if (!result.exit.ok()) return SshFailure(result.err);
  return result.out;
}

// The directory has to be there before sockets are, and keeps what containers have bound.
absl::Status SshTunnel::Prepare() const {
  const std::string& directory = options_.shared_directory;
  ASSIGN_OR_RETURN(const std::string user,
                   RunThere(absl::StrCat("set -e; umask 022; mkdir -p ", directory, "; cd ",
                                         directory, "; rm -f ", AgentEndpoints::kAgentSocket, " ",
                                         AgentEndpoints::kProxySocket, "; cat > ",
                                         AgentEndpoints::kConfigFile, "; id -u"),
                            options_.agent_config));
  unsigned uid = 0;
  if (absl::SimpleAtoi(absl::StripAsciiWhitespace(user), &uid) && (uid == 0 || uid == options_.uid))
    return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("SSH_USER_WRONG: ", options_.target, " has the user id ", LastLineOf(user),
                   ", and only root can give sockets to another: set uid to it"));
}

absl::Status SshTunnel::Forward() {
  const auto shared = [&](const char* name) {
    return absl::StrCat(options_.shared_directory, "/", name);
  };
  const std::string log = absl::StrCat(options_.local_directory, "/ssh.log");
  const base::UniqueFd output(open(log.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
  if (!output.valid()) return base::ErrnoStatus(errno, log);
  unlink(local_socket().c_str());
  ASSIGN_OR_RETURN(
      base::Process process,
      base::Process::Spawn(
          {.argv = Command({"-N", "-o", "ExitOnForwardFailure=yes", "-L",
                            absl::StrCat(local_socket(), ":", options_.engine_socket), "-R",
                            absl::StrCat(shared(AgentEndpoints::kAgentSocket), ":",
                                         EndOf(options_.agent_address)),
                            "-R",
                            absl::StrCat(shared(AgentEndpoints::kProxySocket), ":",
                                         EndOf(options_.proxy_address)),
                            options_.target}),
           .inherit_env = true,
           .fds = {{2, output.get()}}}));
  process_ = std::move(process);
  return AwaitSocket();
}

absl::Status SshTunnel::AwaitSocket() {
  for (absl::Duration waited; waited < kSshForwardTimeout; waited += kSshLookInterval) {
    if (process_->Wait(kSshLookInterval).ok()) {
      process_.reset();
      const std::string log = absl::StrCat(options_.local_directory, "/ssh.log");
      return SshFailure(base::ReadFile(log, kSshTextMax).value_or(""));
    }
    if (access(local_socket().c_str(), F_OK) == 0) return absl::OkStatus();
  }
  process_.reset();
  return absl::UnavailableError("SSH_UNREACHABLE: no connection in time");
}

absl::Status SshTunnel::Ensure() {
  if (process_.has_value()) {
    if (absl::IsDeadlineExceeded(process_->Wait(absl::ZeroDuration()).status())) {
      return absl::OkStatus();
    }
    process_.reset();
  }
  RETURN_IF_ERROR(Prepare());
  RETURN_IF_ERROR(Forward());
  // The server makes sockets for its user alone, a moment after ours.
  const absl::StatusOr<std::string> given = RunThere(
      absl::StrCat("cd ", options_.shared_directory, " && n=0; until [ -S ",
                   AgentEndpoints::kAgentSocket, " ] && [ -S ", AgentEndpoints::kProxySocket,
                   " ]; do n=$((n + 1)); [ $n -lt 100 ] || exit 1; sleep 0.1; done; ",
                   "[ \"$(id -u)\" != 0 ] || chown ", options_.uid, " ",
                   AgentEndpoints::kAgentSocket, " ", AgentEndpoints::kProxySocket),
      "");
  if (!given.ok()) process_.reset();
  return given.status();
}

}  // namespace slipway::dispatcher
