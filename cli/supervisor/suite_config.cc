#include "cli/supervisor/suite_config.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/supervisor/yaml_writer.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"

namespace slipway::cli {
namespace {

namespace pb = slipway::config::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Programs that test suites are run with. Validators run in a sandbox without a network; the list
// keeps a project's policy from naming anything else by mistake. "*" in an override allows all.
constexpr const char* kValidatorPrograms[] = {
    "bazel",  "bundle", "cargo", "cmake", "composer", "ctest",  "dotnet",  "go",
    "gradle", "just",   "make",  "meson", "mvn",      "mypy",   "ninja",   "node",
    "npm",    "npx",    "php",   "pnpm",  "pytest",   "python", "python3", "rspec",
    "ruby",   "ruff",   "tox",   "true",  "false",    "tsc",    "yarn"};

std::string Unix(const std::string& path) { return absl::StrCat("unix:", path); }

pb::Listen ListenAt(const DataDirectory& data, const std::string& service) {
  pb::Listen listen;
  listen.set_address(Unix(data.Socket(service)));
  listen.set_admin_address(Unix(data.Socket(absl::StrCat(service, "-admin"))));
  // Streams use up the whole time; on one machine everything else takes milliseconds.
  listen.mutable_drain_timeout()->set_seconds(1);
  return listen;
}

template <typename Config>
void SetCommon(const DataDirectory& data, const std::string& service, Config& config) {
  *config.mutable_listen() = ListenAt(data, service);
  config.mutable_log()->set_level("info");
  config.set_database(data.Database(service));
}

void SetDispatcher(const DataDirectory& data, const SuiteDefaults& defaults,
                   pb::DispatcherConfig& config) {
  SetCommon(data, "dispatcher", config);
  config.set_log_directory(data.File("dispatcher/logs"));
  config.set_agent_address(Unix(data.Socket("agents")));
  config.set_reviewer_address(Unix(data.Socket("reviewer")));
  config.set_models_address(Unix(data.Socket("models")));
  config.set_ledger_address(Unix(data.Socket("ledger")));
  config.set_kill_switch_file(data.KillSwitch());
  config.set_models_proxy_address(Unix(data.Socket("models-proxy")));
  pb::AgentHost& host = *config.add_hosts();
  host.set_name("local");
  host.set_slots(defaults.slots);
  host.mutable_process()->set_agent_program(defaults.agent_program);
  host.mutable_process()->set_agent_config(data.Config("agent"));
  host.mutable_process()->set_warm(std::min(defaults.slots, 2));
}

void SetGateway(const DataDirectory& data, const SuiteDefaults& defaults,
                pb::GatewayConfig& config) {
  SetCommon(data, "gateway", config);
  config.set_http_address(absl::StrCat("127.0.0.1:", defaults.http_port));
  config.add_extra_addresses(absl::StrCat("127.0.0.1:", defaults.grpc_port));
  config.set_planner_address(Unix(data.Socket("planner")));
  config.set_dispatcher_address(Unix(data.Socket("dispatcher")));
  config.set_reviewer_address(Unix(data.Socket("reviewer")));
  config.set_ledger_address(Unix(data.Socket("ledger")));
  config.set_models_address(Unix(data.Socket("models")));
  config.set_one_time_token_file(data.OneTimeToken());
  config.set_local_token_file(data.LocalToken());
}

// Fields that are set in `over` replace those of `config`, message by message.
void Replace(const Message& over, Message& config) {
  std::vector<const FieldDescriptor*> fields;
  over.GetReflection()->ListFields(over, &fields);
  for (const FieldDescriptor* const field : fields) {
    if (field->is_repeated()) config.GetReflection()->ClearField(&config, field);
  }
  for (const FieldDescriptor* const field : fields) {
    if (field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    Replace(over.GetReflection()->GetMessage(over, field),
            *config.GetReflection()->MutableMessage(&config, field));
  }
  // Nested messages are done: merging them again would append their lists twice.
  std::unique_ptr<Message> flat(over.New());
  flat->CopyFrom(over);
  for (const FieldDescriptor* const field : fields) {
    if (!field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      flat->GetReflection()->ClearField(flat.get(), field);
    }
  }
  config.MergeFrom(*flat);
}

void MakeAbsolute(const std::filesystem::path& directory, std::string& path) {
  if (!path.empty() && path[0] != '/') path = (directory / path).lexically_normal().string();
}

}  // namespace

absl::Status SuiteConfig::ForEach(
    absl::FunctionRef<absl::Status(const std::string& name, Message& config)> visit) {
  RETURN_IF_ERROR(visit("ledger", ledger));
  RETURN_IF_ERROR(visit("models", models));
  RETURN_IF_ERROR(visit("reviewer", reviewer));
  RETURN_IF_ERROR(visit("dispatcher", dispatcher));
  RETURN_IF_ERROR(visit("planner", planner));
  RETURN_IF_ERROR(visit("gateway", gateway));
  return visit("agent", agent);
}

const std::vector<std::string>& ServiceNames() {
  static const auto& names = *new std::vector<std::string>{"ledger",     "models",  "reviewer",
                                                           "dispatcher", "planner", "gateway"};
  return names;
}

SuiteConfig DefaultSuiteConfig(const DataDirectory& data, const SuiteDefaults& defaults) {
  SuiteConfig config;
  SetCommon(data, "ledger", config.ledger);
  SetCommon(data, "models", config.models);
  config.models.set_ledger_address(Unix(data.Socket("ledger")));
  config.models.set_proxy_address(Unix(data.Socket("models-proxy")));
  SetCommon(data, "reviewer", config.reviewer);
  config.reviewer.set_repository_directory(data.File("reviewer/repositories"));
  config.reviewer.set_models_address(Unix(data.Socket("models")));
  SetDispatcher(data, defaults, config.dispatcher);
  SetCommon(data, "planner", config.planner);
  config.planner.set_models_address(Unix(data.Socket("models")));
  config.planner.set_reviewer_address(Unix(data.Socket("reviewer")));
  config.planner.set_dispatcher_address(Unix(data.Socket("dispatcher")));
  SetGateway(data, defaults, config.gateway);
  config.agent.mutable_log()->set_level("info");
  config.agent.set_dispatcher_address(Unix(data.Socket("agents")));
  config.agent.set_workspace_directory(defaults.workspace_directory);
  for (const char* const program : kValidatorPrograms) {
    config.agent.add_validator_programs(program);
    config.reviewer.add_validator_programs(program);
  }
  return config;
}

absl::Status ApplyOverrides(const DataDirectory& data, SuiteConfig& config) {
  return config.ForEach([&](const std::string& name, Message& generated) -> absl::Status {
    const std::string path = data.Overrides(name);
    if (access(path.c_str(), F_OK) != 0) return absl::OkStatus();
    const std::unique_ptr<Message> over(generated.New());
    RETURN_IF_ERROR(config::LoadInto(path, *over));
    Replace(*over, generated);
    return absl::OkStatus();
  });
}

absl::StatusOr<pb::ModelsConfig> LoadModelsFragment(const std::string& path) {
  ASSIGN_OR_RETURN(pb::ModelsConfig fragment, config::Load<pb::ModelsConfig>(path));
  const std::filesystem::path directory = std::filesystem::absolute(path).parent_path();
  for (pb::ModelProvider& provider : *fragment.mutable_providers()) {
    if (provider.has_scripted()) {
      MakeAbsolute(directory, *provider.mutable_scripted()->mutable_script());
      MakeAbsolute(directory, *provider.mutable_scripted()->mutable_call_log());
    } else if (provider.has_openai_chat()) {
      MakeAbsolute(directory, *provider.mutable_openai_chat()->mutable_key_file());
      MakeAbsolute(directory, *provider.mutable_openai_chat()->mutable_ca_file());
    }
  }
  return fragment;
}

absl::Status WriteSuiteConfig(const DataDirectory& data, SuiteConfig& config) {
  return config.ForEach([&](const std::string& name, const Message& message) {
    return base::WriteFileAtomic(
        data.Config(name), absl::StrCat("# Written by slipway up; what is set in overrides/", name,
                                        ".yaml goes over it.\n", ToYaml(message)));
  });
}

}  // namespace slipway::cli
