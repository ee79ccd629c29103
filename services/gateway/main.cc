#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "lib/base/exit_code.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/rpc/signals.h"
#include "services/gateway/server.h"

namespace slipway::gateway {

absl::Status Main(const std::string& config_path) {
  ASSIGN_OR_RETURN(const auto config, config::Load<config::v1::GatewayConfig>(config_path));
  log::Init("gateway", {.level = log::ParseLevel(config.log().level())});
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                   Server::Start(config, {base::RealClock(), base::RandomIds(), SLIPWAY_VERSION}));
  rpc::WaitForSignal();
  server->Stop();
  return absl::OkStatus();
}

}  // namespace slipway::gateway

int main(int argc, char** argv) {
  slipway::rpc::PrepareProcess();
  CLI::App app("slipway-gateway: the one authenticated way into the suite");
  std::string config_path;
  app.add_option("--config", config_path, "Path of a GatewayConfig in YAML")->required();
  app.set_version_flag("--version", SLIPWAY_VERSION);
  CLI11_PARSE(app, argc, argv);
  return slipway::base::ExitCode(slipway::gateway::Main(config_path));
}
