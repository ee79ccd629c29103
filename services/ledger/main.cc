#include <memory>
#include <string>

#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/rpc/signals.h"
#include "lib/serving/program.h"
#include "services/ledger/offline_audit.h"
#include "services/ledger/server.h"

namespace slipway::ledger {

absl::Status Serve(const std::string& config_path) {
  ASSIGN_OR_RETURN(const auto config, config::Load<config::v1::LedgerConfig>(config_path));
  log::Init("ledger", {.level = log::ParseLevel(config.log().level())});
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                   Server::Start(config, {.clock = base::RealClock(), .ids = base::RandomIds()}));
  rpc::WaitForSignal();
  return absl::OkStatus();
}

}  // namespace slipway::ledger

int main(int argc, char** argv) {
  return slipway::serving::RunProgram(
      argc, argv,
      {.name = "slipway-ledger",
       .purpose = "Decides whether money may be spent, and records what was.",
       .config_message = "LedgerConfig",
       .serve = slipway::ledger::Serve,
       .audit = slipway::ledger::PrintAudit});
}
