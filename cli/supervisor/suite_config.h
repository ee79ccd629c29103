#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/client/data_directory.h"
#include "slipway/config/v1/agent.pb.h"
#include "slipway/config/v1/dispatcher.pb.h"
#include "slipway/config/v1/gateway.pb.h"
#include "slipway/config/v1/ledger.pb.h"
#include "slipway/config/v1/models.pb.h"
#include "slipway/config/v1/planner.pb.h"
#include "slipway/config/v1/reviewer.pb.h"

namespace slipway::cli {

// The configuration of every program of a suite in one data directory.
struct SuiteConfig {
  slipway::config::v1::LedgerConfig ledger;
  slipway::config::v1::ModelsConfig models;
  slipway::config::v1::ReviewerConfig reviewer;
  slipway::config::v1::DispatcherConfig dispatcher;
  slipway::config::v1::PlannerConfig planner;
  slipway::config::v1::GatewayConfig gateway;
  slipway::config::v1::AgentConfig agent;

  // Each with its name, "ledger" to "agent".
  absl::Status ForEach(
      absl::FunctionRef<absl::Status(const std::string& name, google::protobuf::Message& config)>
          visit);
};

// The services in the order in which they depend on each other; stopping reverses it.
const std::vector<std::string>& ServiceNames();

// What a suite on one machine needs; nothing that costs money.
struct SuiteDefaults {
  std::string agent_program;        // What the dispatcher starts as an agent.
  std::string workspace_directory;  // For the agents' workspaces.
  int http_port = 0;
  int grpc_port = 0;  // gRPC for programs that cannot use a Unix socket.
  int slots = 2;      // Agents at once.
};
SuiteConfig DefaultSuiteConfig(const DataDirectory& data, const SuiteDefaults& defaults);

// Puts what DIR/overrides/<name>.yaml says over `config`: a field that is set there replaces the
// field here, a list the whole list. Errors name file, line and column.
absl::Status ApplyOverrides(const DataDirectory& data, SuiteConfig& config);

// Reads a ModelsConfig that has providers and routes only; paths in it are relative to its file.
absl::StatusOr<slipway::config::v1::ModelsConfig> LoadModelsFragment(const std::string& path);

// Writes DIR/config/<name>.yaml for every program.
absl::Status WriteSuiteConfig(const DataDirectory& data, SuiteConfig& config);

}  // namespace slipway::cli
