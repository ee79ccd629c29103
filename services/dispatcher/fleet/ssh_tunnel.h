#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/process.h"

namespace slipway::dispatcher {

// The way by SSH to an engine on another machine, and back: the engine's socket appears here, and
// there, in one directory, sockets that lead to the dispatcher's listener for agents and to the
// models proxy, with the agents' configuration beside them. One ssh process, which ends with the
// thread that made it. Used by one thread.
class SshTunnel final {
 public:
  struct Options {
    std::string target;  // "user@host" or "host"
    int port = 0;        // 0: as ssh is configured.
    std::string identity_file;
    std::string known_hosts_file;
    std::string engine_socket;     // There.
    std::string local_directory;   // Here; the engine's socket is in it.
    std::string shared_directory;  // There.
    std::string agent_address;     // "unix:/path" or "host:port", here.
    std::string proxy_address;
    std::string agent_config;  // Text.
    unsigned uid = 0;          // Who may use the sockets there.
  };

  // "ssh://[user@]host[:port][/path/of/socket]"; absent when it is not of that form.
  static std::optional<Options> Parse(const std::string& address);

  explicit SshTunnel(Options options) : options_(std::move(options)) {}

  // Makes the way unless it is there. Blocks, for a minute at most. UNAVAILABLE with a reason that
  // stays the same: SSH_HOST_UNTRUSTED (its key is not in known_hosts), SSH_LOGIN_REFUSED,
  // SSH_UNREACHABLE, SSH_USER_WRONG, SSH_FORWARD_REFUSED, SSH_FAILED.
  absl::Status Ensure();

  std::string local_socket() const { return options_.local_directory + "/engine.sock"; }

 private:
  std::vector<std::string> Command(const std::vector<std::string>& arguments) const;
  absl::StatusOr<std::string> RunThere(const std::string& script, const std::string& input) const;
  absl::Status Prepare() const;
  absl::Status Forward();
  absl::Status AwaitSocket();

  const Options options_;
  std::optional<base::Process> process_;
};

// The reason of what ssh printed last.
std::string SshReason(const std::string& text);

}  // namespace slipway::dispatcher
