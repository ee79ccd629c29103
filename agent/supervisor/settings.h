#pragma once

#include <grpcpp/security/credentials.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "lib/sandbox/spec.h"
#include "slipway/config/v1/agent.pb.h"

namespace slipway::agent {

// Everything that an agent is told before it starts.
struct Settings {
  std::string agent;
  std::string host;
  std::string token;
  std::string dispatcher_address;
  std::shared_ptr<grpc::ChannelCredentials> credentials;  // Null: the dispatcher has no TLS.
  std::string server_name;                                // In the dispatcher's certificate.
  std::string models_address;                             // Empty: as the grant says.
  std::string workspace_directory;                        // Absolute.
  std::string snapshot_cache_directory;                   // Absolute.
  int64_t snapshot_cache_bytes = 0;                       // Below 1: no cache.
  std::vector<std::string> tool_directories;
  std::vector<std::string> validator_programs;
  sandbox::Layer layer = sandbox::Layer::kBubblewrap;
  sandbox::Limits limits;
  int attempts_max = 1;
  uid_t uid = sandbox::kDefaultUid;
  std::string program;  // Of this process, to run inside the sandbox too.

  // Fills in defaults and reads the identity from the environment. IdentityMissing,
  // ConfigIncomplete, TLS_FILES_INVALID.
  static absl::StatusOr<Settings> Make(const config::v1::AgentConfig& config);

  // What every sandbox of this agent has in common.
  sandbox::Spec BaseSpec() const;
  // Whether a validator may run `program`, which is compared as it is written.
  bool Allows(const std::string& validator_program) const;
};

}  // namespace slipway::agent
