#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "lib/base/exit_code.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/rpc/signals.h"
#include "services/reviewer/server.h"

namespace slipway::reviewer {

absl::Status Main(const std::string& config_path) {
  ASSIGN_OR_RETURN(const auto config, config::Load<config::v1::ReviewerConfig>(config_path));
  log::Init("reviewer", {.level = log::ParseLevel(config.log().level())});
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                   Server::Start(config, {base::RealClock(), base::RandomIds()}));
  rpc::WaitForSignal();
  server->Stop();
  return absl::OkStatus();
}

}  // namespace slipway::reviewer

int main(int argc, char** argv) {
  slipway::rpc::PrepareProcess();
  CLI::App app("slipway-reviewer: the only way of a change to a branch");
  std::string config_path;
  app.add_option("--config", config_path, "Path of a ReviewerConfig in YAML")->required();
  app.set_version_flag("--version", SLIPWAY_VERSION);
  CLI11_PARSE(app, argc, argv);
  return slipway::base::ExitCode(slipway::reviewer::Main(config_path));
}
