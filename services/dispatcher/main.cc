#include <memory>
#include <string>

#include "absl/status/status.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/rpc/signals.h"
#include "lib/serving/program.h"
#include "services/dispatcher/offline_audit.h"
#include "services/dispatcher/server.h"

namespace slipway::dispatcher {

absl::Status Serve(const std::string& config_path) {
  ASSIGN_OR_RETURN(const auto config, config::Load<config::v1::DispatcherConfig>(config_path));
  log::Init("dispatcher", {.level = log::ParseLevel(config.log().level())});
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                   Server::Start(config, {base::RealClock(), base::RandomIds()}));
  rpc::WaitForSignal();
  server->Stop();
  return absl::OkStatus();
}

}  // namespace slipway::dispatcher

int main(int argc, char** argv) {
  return slipway::serving::RunProgram(argc, argv,
                                      {.name = "slipway-dispatcher",
                                       .purpose = "Carries out approved plans.",
                                       .config_message = "DispatcherConfig",
                                       .serve = slipway::dispatcher::Serve,
                                       .audit = slipway::dispatcher::PrintAudit});
}
