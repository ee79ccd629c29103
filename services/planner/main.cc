#include <memory>
#include <string>

#include "absl/status/status.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/rpc/signals.h"
#include "lib/serving/program.h"
#include "services/planner/server.h"

namespace slipway::planner {

absl::Status Serve(const std::string& config_path) {
  ASSIGN_OR_RETURN(const auto config, config::Load<config::v1::PlannerConfig>(config_path));
  log::Init("planner", {.level = log::ParseLevel(config.log().level())});
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                   Server::Start(config, {base::RealClock(), base::RandomIds()}));
  rpc::WaitForSignal();
  server->Stop();
  return absl::OkStatus();
}

}  // namespace slipway::planner

int main(int argc, char** argv) {
  return slipway::serving::RunProgram(argc, argv,
                                      {.name = "slipway-planner",
                                       .purpose = "Turns specs into plans and keeps them.",
                                       .config_message = "PlannerConfig",
                                       .serve = slipway::planner::Serve});
}
