#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/rpc/tls_files.h"
#include "services/dispatcher/domain/agent_tokens.h"
#include "services/dispatcher/domain/settings.h"
#include "services/dispatcher/fleet/process_fleet.h"
#include "services/dispatcher/storage/attempt_log.h"
#include "slipway/config/v1/dispatcher.pb.h"

namespace slipway::dispatcher {

// The configuration, checked and with its defaults. All fail with CONFIG_INVALID.
absl::StatusOr<Settings> SettingsOf(const config::v1::DispatcherConfig& config);
absl::StatusOr<LogLimits> LogLimitsOf(const config::v1::DispatcherConfig& config);
absl::StatusOr<absl::Duration> EventRetentionOf(const config::v1::DispatcherConfig& config);
std::map<std::string, ProcessFleet::Program> ProgramsOf(const config::v1::DispatcherConfig& config);

// The files of a listener, which has to have a certificate if `required`.
absl::StatusOr<rpc::TlsFiles> TlsOf(const config::v1::SecureListen& listen, const char* field,
                                    bool required);

// Reads the tokens of external hosts from their files.
absl::Status AddExternalTokens(const config::v1::DispatcherConfig& config, AgentTokens& tokens);

}  // namespace slipway::dispatcher
