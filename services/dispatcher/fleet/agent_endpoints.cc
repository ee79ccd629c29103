#include "services/dispatcher/fleet/agent_endpoints.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/sandbox/workspace.h"

namespace slipway::dispatcher {
namespace {

// An agent holds a session, a snapshot and a result; its runner one call.
constexpr int kConnectionsMax = 16;

absl::Status GiveTo(const std::string& path, mode_t mode, uid_t uid) {
  if (geteuid() == 0 && lchown(path.c_str(), uid, uid) != 0) return base::ErrnoStatus(errno, path);
  if (chmod(path.c_str(), mode) != 0) return base::ErrnoStatus(errno, path);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<http::Forward>> Lead(const std::string& path,
                                                    const std::string& target, uid_t uid) {
  ASSIGN_OR_RETURN(std::unique_ptr<http::Forward> forward,
                   http::Forward::Start({.listen = absl::StrCat("unix:", path),
                                         .target = std::string(absl::StripSuffix(
                                             absl::StripPrefix(target, "http://"), "/")),
                                         .connections = kConnectionsMax}));
  RETURN_IF_ERROR(GiveTo(path, 0600, uid));
  return forward;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AgentEndpoints>> AgentEndpoints::Open(Options options) {
  const std::string& directory = options.directory;
  // A container that lives on has this very directory: it must stay the same one.
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return base::ErrnoStatus(errno, directory);
  }
  std::unique_ptr<AgentEndpoints> endpoints(new AgentEndpoints(directory));
  const auto file = [&](const char* name) { return absl::StrCat(directory, "/", name); };
  ASSIGN_OR_RETURN(endpoints->dispatcher_,
                   Lead(file(kAgentSocket), options.agent_address, options.uid));
  ASSIGN_OR_RETURN(endpoints->proxy_, Lead(file(kProxySocket), options.proxy_address, options.uid));
  RETURN_IF_ERROR(base::WriteFileAtomic(file(kConfigFile), options.agent_config));
  RETURN_IF_ERROR(GiveTo(file(kConfigFile), 0400, options.uid));
  RETURN_IF_ERROR(GiveTo(directory, 0700, options.uid));
  return endpoints;
}

void AgentEndpoints::Remove() {
  dispatcher_.reset();
  proxy_.reset();
  if (const absl::Status removed = sandbox::RemoveWorkspace(directory_); !removed.ok()) {
    log::Warning("an agent's sockets were not removed", {{"error", removed.message()}});
  }
}

}  // namespace slipway::dispatcher
