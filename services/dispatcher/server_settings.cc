#include "services/dispatcher/server_settings.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/rpc/proto_time.h"
#include "slipway/config/v1/agent.pb.h"

namespace slipway::dispatcher {
namespace {

constexpr int kSlotsMax = 1'000;   // Agents of one host.
constexpr int kWeightMax = 1'000;  // More than projects can differ in by reason.
constexpr absl::Duration kAgingStepMin = absl::Seconds(1);
constexpr size_t kTokenBytesMin = 16;  // Shorter can be guessed.
constexpr size_t kTokenFileBytesMax = 4 << 10;

// Below it a log is many files, above it a reader decompresses for long to begin.
constexpr int64_t kSegmentBytesMin = 64 << 10;
constexpr int64_t kSegmentBytesMax = 16 << 20;
// No attempt lasts as long, so nothing is dropped that is still written.
constexpr absl::Duration kRetentionMin = absl::Hours(24);
constexpr absl::Duration kEventRetention = absl::Hours(365 * 24);

absl::Status Invalid(absl::string_view field, absl::string_view problem) {
  return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                     absl::StrCat(field, " ", problem), {{"field", std::string(field)}});
}

absl::StatusOr<absl::Duration> DurationOf(const google::protobuf::Duration& proto,
                                          absl::string_view field, absl::Duration otherwise) {
  const absl::Duration duration = rpc::FromProto(proto);
  if (duration < absl::ZeroDuration()) return Invalid(field, "must not be negative");
  return duration == absl::ZeroDuration() ? otherwise : duration;
}

absl::StatusOr<HostSettings> HostOf(const config::v1::AgentHost& host) {
  const std::string field = absl::StrCat("hosts '", host.name(), "'");
  if (!base::IsValidId(host.name())) return Invalid(field, "needs a name of [a-z0-9-]");
  if (host.slots() < 1 || host.slots() > kSlotsMax) {
    return Invalid(field, absl::StrCat("needs 1 to ", kSlotsMax, " slots"));
  }
  HostSettings settings{.name = absl::StrCat("hosts/", host.name()), .slots = host.slots()};
  switch (host.driver_case()) {
    case config::v1::AgentHost::kProcess:
      if (host.process().agent_program().empty()) return Invalid(field, "needs agent_program");
      if (host.process().agent_config().empty()) return Invalid(field, "needs agent_config");
      settings.driver = HostDriver::kProcess;
      settings.warm = std::clamp(host.process().warm(), 0, host.slots());
      return settings;
    case config::v1::AgentHost::kExternal:
      if (host.external().token_file().empty()) return Invalid(field, "needs token_file");
      return settings;
    case config::v1::AgentHost::kDocker:  // See docker_settings.h.
      settings.driver = HostDriver::kDocker;
      settings.warm = std::clamp(host.docker().warm(), 0, host.slots());
      return settings;
    case config::v1::AgentHost::kKubernetes:  // See kubernetes_settings.h.
      settings.driver = HostDriver::kKubernetes;
      settings.warm = std::clamp(host.kubernetes().warm(), 0, host.slots());
      return settings;
    case config::v1::AgentHost::DRIVER_NOT_SET:
      break;
  }
  return Invalid(field, "needs a driver: process, docker, kubernetes or external");
}

absl::Status SetProjects(const config::v1::Scheduling& config, SchedulingSettings& settings) {
  for (const config::v1::ProjectShare& share : config.projects()) {
    const std::string field = absl::StrCat("scheduling.projects '", share.project(), "'");
    if (!base::IsValidId(share.project())) return Invalid(field, "needs the id of a project");
    if (share.weight() < 0 || share.weight() > kWeightMax) {
      return Invalid(field, absl::StrCat("needs a weight of 1 to ", kWeightMax));
    }
    if (share.attempts_max() < 0) return Invalid(field, "must not have a negative attempts_max");
    const bool is_new = settings.projects
                            .try_emplace(absl::StrCat("projects/", share.project()),
                                         ProjectShare{.weight = std::max(1, share.weight()),
                                                      .attempts_max = share.attempts_max()})
                            .second;
    if (!is_new) return Invalid(field, "is named twice");
  }
  return absl::OkStatus();
}

absl::Status SetCredentials(const config::v1::Scheduling& config, SchedulingSettings& settings) {
  std::set<std::string> names;
  std::set<std::string> roles;
  for (const config::v1::CredentialLimit& credential : config.credentials()) {
    const std::string field = absl::StrCat("scheduling.credentials '", credential.name(), "'");
    if (!base::IsValidId(credential.name())) return Invalid(field, "needs a name of [a-z0-9-]");
    if (!names.insert(credential.name()).second) return Invalid(field, "is named twice");
    if (credential.attempts_max() < 1) return Invalid(field, "needs attempts_max of 1 or more");
    if (credential.roles().empty()) return Invalid(field, "needs roles");
    for (const std::string& role : credential.roles()) {
      if (!roles.insert(role).second) {
        return Invalid(field, absl::StrCat("names role '", role, "', which has a credential"));
      }
    }
    settings.credentials.push_back({.name = credential.name(),
                                    .roles = {credential.roles().begin(), credential.roles().end()},
                                    .attempts_max = credential.attempts_max()});
  }
  return absl::OkStatus();
}

absl::StatusOr<SchedulingSettings> SchedulingOf(const config::v1::Scheduling& config) {
  SchedulingSettings settings;
  RETURN_IF_ERROR(SetProjects(config, settings));
  RETURN_IF_ERROR(SetCredentials(config, settings));
  if (config.plan_attempts_max() < 0) {
    return Invalid("scheduling.plan_attempts_max", "must not be negative");
  }
  if (config.lane_changes_max() < 0) {
    return Invalid("scheduling.lane_changes_max", "must not be negative");
  }
  settings.plan_attempts_max = config.plan_attempts_max();
  settings.lane_changes_max = config.lane_changes_max();
  ASSIGN_OR_RETURN(settings.aging_step,
                   DurationOf(config.aging_step(), "scheduling.aging_step", settings.aging_step));
  if (settings.aging_step < kAgingStepMin) {
    return Invalid("scheduling.aging_step", "must be at least a second");
  }
  if (config.has_overlap_wait()) {
    ASSIGN_OR_RETURN(
        settings.overlap_wait,
        DurationOf(config.overlap_wait(), "scheduling.overlap_wait", absl::ZeroDuration()));
  }
  ASSIGN_OR_RETURN(settings.slot_time_per_usd,
                   DurationOf(config.slot_time_per_usd(), "scheduling.slot_time_per_usd",
                              settings.slot_time_per_usd));
  return settings;
}

absl::Status CheckPresent(const config::v1::DispatcherConfig& config) {
  if (config.listen().address().empty()) return Invalid("listen.address", "is missing");
  if (config.database().empty()) return Invalid("database", "is missing");
  if (config.log_directory().empty()) return Invalid("log_directory", "is missing");
  if (config.agent_address().empty()) return Invalid("agent_address", "is missing");
  if (config.reviewer_address().empty()) return Invalid("reviewer_address", "is missing");
  if (config.models_address().empty()) return Invalid("models_address", "is missing");
  if (config.ledger_address().empty()) return Invalid("ledger_address", "is missing");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Settings> SettingsOf(const config::v1::DispatcherConfig& config) {
  RETURN_IF_ERROR(CheckPresent(config));
  Settings settings;
  ASSIGN_OR_RETURN(settings.lease_timeout,
                   DurationOf(config.lease_timeout(), "lease_timeout", settings.lease_timeout));
  ASSIGN_OR_RETURN(settings.beat_interval,
                   DurationOf(config.beat_interval(), "beat_interval", settings.beat_interval));
  ASSIGN_OR_RETURN(settings.backoff_initial, DurationOf(config.backoff_initial(), "backoff_initial",
                                                        settings.backoff_initial));
  ASSIGN_OR_RETURN(settings.stall_timeout,
                   DurationOf(config.stall_timeout(), "stall_timeout", settings.stall_timeout));
  if (settings.stall_timeout < 2 * settings.beat_interval) {
    return Invalid("stall_timeout", "must be at least twice the beat_interval");
  }
  settings.stall_grace = std::min(settings.stall_grace, settings.stall_timeout);
  if (settings.lease_timeout < 2 * settings.beat_interval) {
    return Invalid("lease_timeout", "must be at least twice the beat_interval");
  }
  ASSIGN_OR_RETURN(settings.scheduling, SchedulingOf(config.scheduling()));
  std::set<std::string> names;
  for (const config::v1::AgentHost& host : config.hosts()) {
    ASSIGN_OR_RETURN(HostSettings one, HostOf(host));
    if (!names.insert(one.name).second) return Invalid("hosts", "names a host twice");
    settings.hosts.push_back(std::move(one));
  }
  return settings;
}

absl::StatusOr<LogLimits> LogLimitsOf(const config::v1::DispatcherConfig& config) {
  const config::v1::AttemptLogs& logs = config.logs();
  LogLimits limits;
  if (logs.segment_bytes() != 0) limits.segment_bytes = logs.segment_bytes();
  if (limits.segment_bytes < kSegmentBytesMin || limits.segment_bytes > kSegmentBytesMax) {
    return Invalid("logs.segment_bytes",
                   absl::StrCat("must be from ", kSegmentBytesMin, " to ", kSegmentBytesMax));
  }
  if (logs.attempt_bytes_max() != 0) limits.attempt_bytes_max = logs.attempt_bytes_max();
  if (limits.attempt_bytes_max < 4 * limits.segment_bytes) {
    return Invalid("logs.attempt_bytes_max", "must be at least four times logs.segment_bytes");
  }
  if (logs.total_bytes_max() != 0) limits.total_bytes_max = logs.total_bytes_max();
  if (limits.total_bytes_max / 2 < limits.attempt_bytes_max) {
    return Invalid("logs.total_bytes_max", "must be at least twice logs.attempt_bytes_max");
  }
  ASSIGN_OR_RETURN(limits.retention,
                   DurationOf(logs.retention(), "logs.retention", limits.retention));
  if (limits.retention < kRetentionMin) {
    return Invalid("logs.retention", "must be at least one day (86400s)");
  }
  return limits;
}

absl::StatusOr<absl::Duration> EventRetentionOf(const config::v1::DispatcherConfig& config) {
  ASSIGN_OR_RETURN(const absl::Duration retention,
                   DurationOf(config.event_retention(), "event_retention", kEventRetention));
  if (retention < kRetentionMin) {
    return Invalid("event_retention", "must be at least one day (86400s)");
  }
  return retention;
}

std::map<std::string, ProcessFleet::Program> ProgramsOf(
    const config::v1::DispatcherConfig& config) {
  std::map<std::string, ProcessFleet::Program> programs;
  for (const config::v1::AgentHost& host : config.hosts()) {
    if (!host.has_process()) continue;
    const std::string& path = host.process().agent_config();
    // An agent that cannot read its configuration says so itself.
    const absl::StatusOr<config::v1::AgentConfig> agent =
        config::Load<config::v1::AgentConfig>(path);
    programs[absl::StrCat("hosts/", host.name())] = {
        .path = host.process().agent_program(),
        .config = path,
        .workspaces = agent.ok() ? agent->workspace_directory() : ""};
  }
  return programs;
}

absl::StatusOr<rpc::TlsFiles> TlsOf(const config::v1::SecureListen& listen, const char* field,
                                    bool required) {
  if (listen.address().empty()) return Invalid(absl::StrCat(field, ".address"), "is missing");
  const bool has_certificate = !listen.certificate_file().empty();
  if (has_certificate != !listen.key_file().empty() ||
      (!has_certificate && (required || !listen.client_ca_file().empty()))) {
    return Invalid(field, "needs certificate_file and key_file");
  }
  return rpc::TlsFiles{.certificate = listen.certificate_file(),
                       .key = listen.key_file(),
                       .authorities = listen.client_ca_file()};
}

absl::Status AddExternalTokens(const config::v1::DispatcherConfig& config, AgentTokens& tokens) {
  for (const config::v1::AgentHost& host : config.hosts()) {
    if (!host.has_external()) continue;
    const std::string field = absl::StrCat("token_file of host '", host.name(), "'");
    absl::StatusOr<std::string> text =
        base::ReadFile(host.external().token_file(), kTokenFileBytesMax);
    if (!text.ok())
      return Invalid(field, absl::StrCat("cannot be read: ", text.status().message()));
    const std::string token(absl::StripAsciiWhitespace(*text));
    if (token.size() < kTokenBytesMin) {
      return Invalid(field, absl::StrCat("needs at least ", kTokenBytesMin, " characters"));
    }
    tokens.Add(token, {.host = absl::StrCat("hosts/", host.name())});
  }
  return absl::OkStatus();
}

}  // namespace slipway::dispatcher
