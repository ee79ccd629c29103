#include "services/models/settings.h"

#include <cstdlib>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"
#include "services/models/domain/errors.h"
#include "services/models/providers/cassette_provider.h"
#include "services/models/providers/claude_cli_provider.h"
#include "services/models/providers/endpoint_provider.h"
#include "services/models/providers/scripted_provider.h"

namespace slipway::models {
namespace {

namespace pb = ::slipway::config::v1;

absl::StatusOr<std::string> ReadKey(const std::string& who, const std::string& file,
                                    const std::string& variable, bool needed) {
  std::string key;
  if (!file.empty()) {
    const absl::StatusOr<std::string> content = base::ReadFile(file, 64 << 10);
    if (!content.ok()) {
      return ConfigInvalid(absl::StrCat(who, "key_file: ", content.status().message()));
    }
    key = std::string(absl::StripAsciiWhitespace(*content));
  } else if (!variable.empty()) {
    const char* value = std::getenv(variable.c_str());
    if (value != nullptr) key = std::string(absl::StripAsciiWhitespace(value));
  } else {
    if (!needed) return key;
    return ConfigInvalid(absl::StrCat(who, "key_file or key_variable is missing"));
  }
  if (key.empty()) return ConfigInvalid(absl::StrCat(who, "its key is empty"));
  for (const char c : key) {
    if (!absl::ascii_isgraph(c)) {
      return ConfigInvalid(absl::StrCat(who, "its key has characters that no key has"));
    }
  }
  return key;
}

// A message of a kind of endpoint as options; their fields have the same names.
template <typename Config>
absl::StatusOr<EndpointProvider::Options> EndpointOptions(const std::string& name,
                                                          const Config& config, bool local) {
  ASSIGN_OR_RETURN(std::string key,
                   ReadKey(absl::StrCat("provider ", name, ": "), config.key_file(),
                           config.key_variable(), /*needed=*/!local));
  return EndpointProvider::Options{
      .name = name,
      .base_url = config.base_url(),
      .key = std::move(key),
      .allow_paid = config.allow_paid(),
      .local = local,
      .ca_file = config.ca_file(),
      .connect_timeout = rpc::DurationOr(config.connect_timeout(), absl::Seconds(10)),
      .first_byte_timeout = rpc::DurationOr(config.first_byte_timeout(), absl::Minutes(2)),
      .idle_timeout = rpc::DurationOr(config.idle_timeout(), absl::Minutes(1))};
}

absl::StatusOr<std::set<Dialect>> DialectsOf(const std::string& who,
                                             const pb::OpenAiChatProvider& config) {
  if (config.dialects().empty()) return std::set<Dialect>{Dialect::kChat};
  std::set<Dialect> dialects;
  for (const std::string& name : config.dialects()) {
    const size_t before = dialects.size();
    for (const Dialect dialect : {Dialect::kChat, Dialect::kResponses, Dialect::kMessages}) {
      if (name == DialectName(dialect)) dialects.insert(dialect);
    }
    if (dialects.size() == before) {
      return ConfigInvalid(
          absl::StrCat(who, "dialects are chat, responses and messages, each once"));
    }
  }
  return dialects;
}

absl::StatusOr<std::unique_ptr<Provider>> MakeProvider(const pb::ModelProvider& config,
                                                       base::Clock& clock) {
  const std::string who = absl::StrCat("provider ", config.name(), ": ");
  switch (config.kind_case()) {
    case pb::ModelProvider::kScripted:
      if (config.scripted().script().empty() == config.scripted().cassette().empty()) {
        return ConfigInvalid(absl::StrCat(who, "set one of script and cassette"));
      }
      if (!config.scripted().cassette().empty()) {
        return CassetteProvider::Open({.name = config.name(),
                                       .cassette = config.scripted().cassette(),
                                       .call_log = config.scripted().call_log(),
                                       .real_time = config.scripted().real_time()},
                                      clock);
      }
      return ScriptedProvider::Open(config.name(), config.scripted().script(),
                                    config.scripted().call_log(), clock);
    case pb::ModelProvider::kOpenaiChat: {
      const pb::OpenAiChatProvider& chat = config.openai_chat();
      ASSIGN_OR_RETURN(EndpointProvider::Options options,
                       EndpointOptions(config.name(), chat, chat.local()));
      ASSIGN_OR_RETURN(options.dialects, DialectsOf(who, chat));
      return EndpointProvider::Make(std::move(options), clock);
    }
    case pb::ModelProvider::kOpenai: {
      ASSIGN_OR_RETURN(EndpointProvider::Options options,
                       EndpointOptions(config.name(), config.openai(), /*local=*/false));
      options.kind = EndpointProvider::Kind::kOpenAi;
      options.dialects = {Dialect::kChat, Dialect::kResponses};
      if (options.base_url.empty()) options.base_url = "https://api.openai.com/v1";
      return EndpointProvider::Make(std::move(options), clock);
    }
    case pb::ModelProvider::kAnthropic: {
      ASSIGN_OR_RETURN(EndpointProvider::Options options,
                       EndpointOptions(config.name(), config.anthropic(), /*local=*/false));
      options.kind = EndpointProvider::Kind::kAnthropic;
      options.dialects = {Dialect::kMessages};
      if (options.base_url.empty()) options.base_url = "https://api.anthropic.com/v1";
      return EndpointProvider::Make(std::move(options), clock);
    }
    case pb::ModelProvider::kClaudeCli: {
      const pb::ClaudeCliProvider& cli = config.claude_cli();
      const bool keyed = !cli.key_file().empty();
      ASSIGN_OR_RETURN(std::string key, ReadKey(who, cli.key_file(), "", /*needed=*/false));
      if (keyed == !cli.home().empty()) {
        return ConfigInvalid(absl::StrCat(who, "set one of home and key_file"));
      }
      return ClaudeCliProvider::Make(
          {.name = config.name(),
           .program = cli.program().empty() ? "claude" : cli.program(),
           .home = cli.home(),
           .key = std::move(key),
           .subscription = cli.subscription(),
           .allow_paid = cli.allow_paid(),
           .idle_timeout = rpc::DurationOr(cli.idle_timeout(), absl::Minutes(5))},
          clock);
    }
    case pb::ModelProvider::KIND_NOT_SET:
      break;
  }
  return ConfigInvalid(
      absl::StrCat(who, "set scripted, openai, anthropic, openai_chat or claude_cli"));
}

absl::StatusOr<Route> MakeRoute(const pb::ModelRoute& config,
                                const std::set<std::string>& providers) {
  const std::string who =
      absl::StrCat("route of role \"", config.role(), "\" to \"", config.provider(), "\": ");
  if (config.role() != "*" && !IsRole(config.role())) {
    return ConfigInvalid(absl::StrCat(who, "role must be \"*\" or 1 to 63 of [a-z0-9_-]"));
  }
  if (providers.count(config.provider()) == 0) {
    return ConfigInvalid(absl::StrCat(who, "no provider has that name"));
  }
  if (config.model().empty()) return ConfigInvalid(absl::StrCat(who, "model is missing"));
  const std::string& tier = config.service_tier();
  if (!tier.empty() && tier != "default" && tier != "flex" && tier != "priority") {
    return ConfigInvalid(absl::StrCat(who, "service_tier is none of default, flex, priority"));
  }
  if (config.input_tokens_max() < 0 || config.output_tokens_max() < 0) {
    return ConfigInvalid(absl::StrCat(who, "token limits must not be negative"));
  }
  if (config.context_characters_max() < 0) {
    return ConfigInvalid(absl::StrCat(who, "context_characters_max must not be negative"));
  }
  Route route = {.role = config.role(),
                 .provider = config.provider(),
                 .model = config.model(),
                 .reasoning_effort = config.reasoning_effort(),
                 .context_characters_max = config.context_characters_max(),
                 .calibrated_holds = config.calibrated_holds(),
                 .call_timeout = rpc::DurationOr(config.call_timeout(), kCallTimeoutDefault),
                 .manual_approval = config.manual_approval()};
  if (!tier.empty()) route.service_tier = tier;
  if (tier == "priority" && !config.allow_priority()) {
    return ConfigInvalid(absl::StrCat(
        who, "the priority tier costs about twice as much: set allow_priority: true to allow it"));
  }
  if (config.input_tokens_max() > 0) route.input_tokens_max = config.input_tokens_max();
  if (config.output_tokens_max() > 0) route.output_tokens_max = config.output_tokens_max();
  if (route.call_timeout < absl::ZeroDuration() || route.call_timeout > kCallTimeoutMax) {
    return ConfigInvalid(absl::StrCat(who, "call_timeout must be above 0 and at most 23h"));
  }
  return route;
}

// The keys that this service holds, which no cassette may hold.
std::vector<std::string> KnownSecrets(const pb::ModelsConfig& config) {
  std::vector<std::string> secrets;
  const auto add = [&secrets](const std::string& file, const std::string& variable) {
    const absl::StatusOr<std::string> key = ReadKey("", file, variable, /*needed=*/false);
    if (key.ok() && !key->empty()) secrets.push_back(*key);
  };
  for (const pb::ModelProvider& provider : config.providers()) {
    add(provider.openai_chat().key_file(), provider.openai_chat().key_variable());
    add(provider.openai().key_file(), provider.openai().key_variable());
    add(provider.anthropic().key_file(), provider.anthropic().key_variable());
    add(provider.claude_cli().key_file(), "");
  }
  return secrets;
}

absl::StatusOr<Recorder::Options> MakeRecording(const pb::ModelsConfig& config) {
  const pb::ModelRecording& recording = config.recording();
  Recorder::Options options = {.bounds = {.entries = kCassetteEntriesMax,
                                          .bytes = kCassetteBytesDefault,
                                          .total_bytes = kCassettesBytesDefault},
                               .known_secrets = KnownSecrets(config)};
  for (const std::string& project : recording.projects()) {
    if (project != "*" && !base::IsValidId(project)) {
      return ConfigInvalid(absl::StrCat("recording.projects: \"", project,
                                        "\" is neither the id of a project nor \"*\""));
    }
    options.projects.insert(project == "*" ? project : absl::StrCat("projects/", project));
  }
  if (recording.cassette_bytes_max() < 0 || recording.cassette_bytes_max() > kCassetteBytesMax) {
    return ConfigInvalid("recording.cassette_bytes_max must be from 0 to 1 GiB");
  }
  if (recording.total_bytes_max() < 0) {
    return ConfigInvalid("recording.total_bytes_max must not be negative");
  }
  if (recording.cassette_bytes_max() > 0) options.bounds.bytes = recording.cassette_bytes_max();
  if (recording.total_bytes_max() > 0) options.bounds.total_bytes = recording.total_bytes_max();
  return options;
}

}  // namespace

absl::StatusOr<Keeping> MakeKeeping(const pb::ModelsConfig& config) {
  Keeping keeping = {
      .cassette_retention =
          rpc::DurationOr(config.recording().retention(), kCassetteRetentionDefault),
      .call_retention = rpc::DurationOr(config.call_retention(), kCallRetentionDefault),
      .calls_max = config.calls_kept_max() == 0 ? kCallsKeptDefault : config.calls_kept_max(),
      .health_interval = rpc::DurationOr(config.health_interval(), kHealthIntervalDefault)};
  ASSIGN_OR_RETURN(keeping.recording, MakeRecording(config));
  if (keeping.call_retention < kCallRetentionMin) {
    return ConfigInvalid(
        "call_retention must be at least 48h: repeats are answered from the record");
  }
  if (keeping.calls_max < kCallsKeptMin) {
    return ConfigInvalid(absl::StrCat("calls_kept_max must be at least ", kCallsKeptMin));
  }
  if (keeping.health_interval < absl::Seconds(1)) {
    return ConfigInvalid("health_interval must be at least 1s");
  }
  if (keeping.cassette_retention <= absl::ZeroDuration()) {
    return ConfigInvalid("recording.retention must be above 0");
  }
  return keeping;
}

absl::StatusOr<Providers> MakeProviders(const pb::ModelsConfig& config, base::Clock& clock) {
  Providers providers;
  for (const pb::ModelProvider& provider : config.providers()) {
    if (!base::IsValidId(provider.name())) {
      return ConfigInvalid(
          absl::StrCat("provider name \"", provider.name(), "\" must be 1 to 63 of [a-z0-9-]"));
    }
    if (providers.count(provider.name()) > 0) {
      return ConfigInvalid(absl::StrCat("two providers are named ", provider.name()));
    }
    ASSIGN_OR_RETURN(providers[provider.name()], MakeProvider(provider, clock));
  }
  return providers;
}

absl::StatusOr<RouteTable> MakeRoutes(const pb::ModelsConfig& config) {
  std::set<std::string> providers;
  for (const pb::ModelProvider& provider : config.providers()) providers.insert(provider.name());
  std::vector<Route> routes;
  for (const pb::ModelRoute& proto : config.routes()) {
    ASSIGN_OR_RETURN(Route route, MakeRoute(proto, providers));
    const bool falls_back = route.service_tier == "flex" && !proto.flex_only();
    routes.push_back(route);
    if (!falls_back) continue;
    route.service_tier = "default";
    routes.push_back(std::move(route));
  }
  return RouteTable(std::move(routes));
}

}  // namespace slipway::models
