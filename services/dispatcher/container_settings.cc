#include "services/dispatcher/container_settings.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/config/config.h"
#include "nlohmann/json.hpp"
#include "services/dispatcher/fleet/container_spec.h"

namespace slipway::dispatcher {
namespace {

constexpr int64_t kMemoryDefault = int64_t{2} << 30;
constexpr int64_t kMemoryMin = int64_t{64} << 20;  // The agent itself takes 30 MiB.
constexpr int64_t kMilliCpusDefault = 2'000;
constexpr int64_t kProcessesDefault = 512;
constexpr int64_t kProcessesMin = 32;  // Of the agent's threads alone there are some 20.
constexpr int64_t kWorkspaceDefault = int64_t{1} << 30;
constexpr int64_t kTemporaryDefault = int64_t{256} << 20;

int64_t OrDefault(int64_t value, int64_t otherwise) { return value == 0 ? otherwise : value; }

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

}  // namespace

absl::Status WrongHost(const std::string& host, absl::string_view problem) {
  const std::string field = absl::StrCat("hosts '", host, "'");
  return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                     absl::StrCat(field, " ", problem), {{"field", field}});
}

absl::StatusOr<ContainerBounds> BoundsOf(const std::string& host,
                                         const config::v1::ContainerLimits& limits) {
  if (limits.memory_bytes() != 0 && limits.memory_bytes() < kMemoryMin) {
    return WrongHost(host, absl::StrCat("needs memory_bytes of at least ", kMemoryMin));
  }
  if (limits.processes() != 0 && limits.processes() < kProcessesMin) {
    return WrongHost(host, absl::StrCat("needs processes of at least ", kProcessesMin));
  }
  if (limits.milli_cpus() < 0 || limits.workspace_bytes() < 0 || limits.temporary_bytes() < 0) {
    return WrongHost(host, "has a negative limit");
  }
  return ContainerBounds{.memory_bytes = OrDefault(limits.memory_bytes(), kMemoryDefault),
                         .milli_cpus = OrDefault(limits.milli_cpus(), kMilliCpusDefault),
                         .processes = OrDefault(limits.processes(), kProcessesDefault),
                         .workspace_bytes = OrDefault(limits.workspace_bytes(), kWorkspaceDefault),
                         .temporary_bytes = OrDefault(limits.temporary_bytes(), kTemporaryDefault)};
}

absl::StatusOr<std::string> AgentConfigText(const std::string& host, const std::string& path,
                                            const ContainerAgent& in) {
  absl::StatusOr<config::v1::AgentConfig> agent = config::Load<config::v1::AgentConfig>(path);
  if (!agent.ok()) return WrongHost(host, absl::StrCat("agent_config: ", agent.status().message()));
  agent->set_dispatcher_address(in.dispatcher_address);
  agent->set_models_address(in.models_address);
  agent->set_isolation(in.isolation);
  agent->set_workspace_directory(kWorkDirectory);
  agent->clear_snapshot_cache_directory();
  agent->set_snapshot_cache_bytes(-1);  // Nothing of a container is there for the next one.
  agent->set_attempts_max(1);
  agent->clear_sandbox_uid();
  agent->clear_dispatcher_tls();
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

}  // namespace slipway::dispatcher
