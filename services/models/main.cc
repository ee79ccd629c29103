#include <memory>
#include <string>

#include "absl/status/status.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/rpc/signals.h"
#include "lib/serving/program.h"
#include "services/models/server.h"

namespace slipway::models {

absl::Status Serve(const std::string& config_path) {
  ASSIGN_OR_RETURN(const auto config, config::Load<config::v1::ModelsConfig>(config_path));
  log::Init("models", {.level = log::ParseLevel(config.log().level())});
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                   Server::Start(config, {base::RealClock(), base::RandomIds()}));
  rpc::WaitForSignal();
  server->Stop();
  return absl::OkStatus();
}

}  // namespace slipway::models

int main(int argc, char** argv) {
  return slipway::serving::RunProgram(argc, argv,
                                      {.name = "slipway-models",
                                       .purpose = "Routes, meters and caps every call to a model.",
                                       .config_message = "ModelsConfig",
                                       .serve = slipway::models::Serve});
}
