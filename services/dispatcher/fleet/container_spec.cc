#include "services/dispatcher/fleet/container_spec.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"
#include "services/dispatcher/fleet/agent_endpoints.h"

namespace slipway::dispatcher {
namespace {

constexpr int kOpenFilesMax = 4'096;

// A tmpfs is noexec unless it says otherwise, and what is built must be run.
std::string TemporaryFiles(const char* exec, int64_t bytes, unsigned uid) {
  return absl::StrCat("rw,", exec, ",nosuid,nodev,size=", bytes, ",uid=", uid, ",gid=", uid,
                      ",mode=0755");
}

}  // namespace

std::string ContainerSpec(const ContainerOptions& options) {
  const std::string user = absl::StrCat(options.uid, ":", options.uid);
  const std::string config =
      absl::StrCat(AgentEndpoints::kInside, "/", AgentEndpoints::kConfigFile);
  const nlohmann::json host_config = {
      {"NetworkMode", "none"},
      {"ReadonlyRootfs", true},
      {"Privileged", false},
      {"CapDrop", {"ALL"}},
      {"SecurityOpt", {"no-new-privileges"}},
      {"IpcMode", "private"},
      {"Init", false},
      {"RestartPolicy", {{"Name", "no"}}},
      {"Tmpfs",
       {{"/tmp",
         absl::StrCat("rw,noexec,nosuid,nodev,size=", options.temporary_bytes, ",mode=1777")},
        {"/home/agent", TemporaryFiles("exec", options.temporary_bytes, options.uid)},
        {kWorkDirectory, TemporaryFiles("exec", options.workspace_bytes, options.uid)}}},
      {"Memory", options.memory_bytes},
      {"MemorySwap", options.memory_bytes},
      {"NanoCpus", options.milli_cpus * 1'000'000},
      {"PidsLimit", options.processes},
      {"Binds", {absl::StrCat(options.directory, ":", AgentEndpoints::kInside, ":ro")}},
      {"LogConfig", {{"Type", "json-file"}, {"Config", {{"max-size", "1m"}, {"max-file", "1"}}}}},
      {"Ulimits",
       {{{"Name", "nofile"}, {"Soft", kOpenFilesMax}, {"Hard", kOpenFilesMax}},
        {{"Name", "core"}, {"Soft", 0}, {"Hard", 0}}}}};
  const nlohmann::json spec = {
      {"Image", options.image},
      {"User", user},
      {"Env",
       {absl::StrCat("SLIPWAY_AGENT_ID=", options.agent),
        absl::StrCat("SLIPWAY_AGENT_HOST=", absl::StripPrefix(options.host, "hosts/")),
        absl::StrCat("SLIPWAY_AGENT_TOKEN=", options.token), "HOME=/home/agent"}},
      {"WorkingDir", kWorkDirectory},
      {"Entrypoint", {options.program}},
      {"Cmd", {"--config", config}},
      {"NetworkDisabled", true},
      {"StopSignal", "SIGTERM"},
      {"Labels",
       {{kOwnerLabel, options.owner}, {kHostLabel, options.host}, {kAgentLabel, options.agent}}},
      {"HostConfig", host_config}};
  return spec.dump();
}

}  // namespace slipway::dispatcher
