#include <memory>
#include <string>

#include "absl/status/status.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/rpc/signals.h"
#include "lib/serving/program.h"
#include "services/gateway/server.h"

namespace slipway::gateway {

absl::Status Serve(const std::string& config_path) {
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
  return slipway::serving::RunProgram(argc, argv,
                                      {.name = "slipway-gateway",
                                       .purpose = "The one authenticated way into the suite.",
                                       .config_message = "GatewayConfig",
                                       .serve = slipway::gateway::Serve});
}
