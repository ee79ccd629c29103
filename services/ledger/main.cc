#include <CLI/CLI.hpp>

#include "lib/base/exit_code.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/rpc/signals.h"
#include "services/ledger/server.h"

namespace slipway::ledger {
namespace {

absl::Status Main(const std::string& config_path) {
  ASSIGN_OR_RETURN(const config::v1::LedgerConfig config,
                   config::Load<config::v1::LedgerConfig>(config_path));
  log::Init("ledger", {.level = log::ParseLevel(config.log().level())});
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                   Server::Start(config, {.clock = base::RealClock(), .ids = base::RandomIds()}));
  rpc::WaitForSignal();
  return absl::OkStatus();
}

}  // namespace
}  // namespace slipway::ledger

int main(int argc, char** argv) {
  slipway::rpc::PrepareProcess();
  CLI::App app("Decides whether money may be spent, and records what was.", "slipway-ledger");
  app.set_version_flag("--version", "slipway-ledger 0.1.0");
  std::string config_path;
  app.add_option("--config", config_path, "Path of a LedgerConfig in YAML")->required();
  CLI11_PARSE(app, argc, argv);
  return slipway::base::ExitCode(slipway::ledger::Main(config_path));
}
