#include "agent/supervisor/settings.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "absl/strings/str_cat.h"

#include "agent/domain/errors.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/tls_files.h"

namespace slipway::agent {
namespace {

constexpr int64_t kMemoryBytesDefault = int64_t{2} << 30;
constexpr int64_t kProcessesDefault = 512;
constexpr int64_t kFileBytesDefault = int64_t{1} << 30;
constexpr int64_t kTemporaryBytesDefault = int64_t{256} << 20;
constexpr int64_t kSnapshotCacheBytesDefault = int64_t{2} << 30;

absl::StatusOr<std::string> FromEnvironment(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr || *value == '\0') return IdentityMissing(variable);
  return std::string(value);
}

int64_t OrDefault(int64_t value, int64_t fallback) { return value > 0 ? value : fallback; }

std::string Resolve(const std::string& path) {
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) == nullptr ? path : std::string(resolved);
}

bool IsDirectory(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

absl::StatusOr<Settings> Settings::Make(const config::v1::AgentConfig& config) {
  Settings settings;
  ASSIGN_OR_RETURN(settings.agent, FromEnvironment("SLIPWAY_AGENT_ID"));
  ASSIGN_OR_RETURN(settings.host, FromEnvironment("SLIPWAY_AGENT_HOST"));
  ASSIGN_OR_RETURN(settings.token, FromEnvironment("SLIPWAY_AGENT_TOKEN"));
  if (config.dispatcher_address().empty()) return ConfigIncomplete("dispatcher_address");
  if (config.workspace_directory().empty()) return ConfigIncomplete("workspace_directory");
  if (config.workspace_directory()[0] != '/') {
    return ConfigIncomplete("workspace_directory as an absolute path");
  }
  settings.dispatcher_address = config.dispatcher_address();
  if (config.has_dispatcher_tls()) {
    const config::v1::TlsClient& tls = config.dispatcher_tls();
    ASSIGN_OR_RETURN(settings.credentials, rpc::ClientTls({.certificate = tls.certificate_file(),
                                                           .key = tls.key_file(),
                                                           .authorities = tls.ca_file()}));
    settings.server_name = tls.server_name();
  }
  settings.models_address = config.models_address();
  if (config.isolation() == config::v1::ISOLATION_CONTAINER) {
    settings.layer = sandbox::Layer::kContainer;
  } else if (config.isolation() == config::v1::ISOLATION_POD) {
    settings.layer = sandbox::Layer::kPod;
  }
  settings.workspace_directory = config.workspace_directory();
  settings.snapshot_cache_directory = config.snapshot_cache_directory().empty()
                                          ? settings.workspace_directory + "/.snapshots"
                                          : config.snapshot_cache_directory();
  if (settings.snapshot_cache_directory[0] != '/') {
    return ConfigIncomplete("snapshot_cache_directory as an absolute path");
  }
  const int64_t cache_bytes = config.snapshot_cache_bytes();
  settings.snapshot_cache_bytes = cache_bytes == 0 ? kSnapshotCacheBytesDefault : cache_bytes;
  for (const std::string& directory : config.tool_directories()) {
    settings.tool_directories.push_back(Resolve(directory));
  }
  settings.validator_programs = {config.validator_programs().begin(),
                                 config.validator_programs().end()};
  const config::v1::SandboxLimits& limits = config.sandbox();
  settings.limits.memory_bytes = OrDefault(limits.memory_bytes(), kMemoryBytesDefault);
  settings.limits.processes = OrDefault(limits.processes(), kProcessesDefault);
  settings.limits.file_bytes = OrDefault(limits.file_bytes(), kFileBytesDefault);
  settings.limits.temporary_bytes = OrDefault(limits.temporary_bytes(), kTemporaryBytesDefault);
  settings.attempts_max = std::max(config.attempts_max(), 1);
  if (config.sandbox_uid() != 0) settings.uid = config.sandbox_uid();
  settings.program = Resolve("/proc/self/exe");
  return settings;
}

sandbox::Spec Settings::BaseSpec() const {
  sandbox::Spec spec{.layer = layer};
  std::string path;
  for (const std::string& directory : tool_directories) {
    spec.read_only.push_back({.host = directory, .inside = directory});
    const std::string programs = directory + "/bin";
    absl::StrAppend(&path, IsDirectory(programs) ? programs : directory, ":");
  }
  spec.env = {{"PATH", absl::StrCat(path, "/usr/local/bin:/usr/bin:/bin")},
              {"PYTHONDONTWRITEBYTECODE", "1"}};
  spec.limits = limits;
  spec.uid = uid;
  spec.gid = uid;
  return spec;
}

bool Settings::Allows(const std::string& validator_program) const {
  return std::any_of(
      validator_programs.begin(), validator_programs.end(),
      [&](const std::string& allowed) { return allowed == "*" || allowed == validator_program; });
}

}  // namespace slipway::agent
