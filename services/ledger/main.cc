#include <malloc.h>

#include <iostream>
#include <memory>
#include <string>

#include "lib/base/exit_code.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/rpc/signals.h"
#include "lib/serving/program.h"
#include "services/ledger/offline_audit.h"
#include "services/ledger/server.h"

namespace slipway::ledger {

absl::Status Serve(const std::string& config_path) {
  // Unless told otherwise, the C library gives the end of a heap back to the system whenever 128
  // KiB of it are free, and gets it again with the next batch: 6 % of the writer's time.
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
  ASSIGN_OR_RETURN(const auto config, config::Load<config::v1::LedgerConfig>(config_path));
  log::Init("ledger", {.level = log::ParseLevel(config.log().level())});
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                   Server::Start(config, {.clock = base::RealClock(), .ids = base::RandomIds()}));
  rpc::WaitForSignal();
  return absl::OkStatus();
}

int Audit(const std::string& path) {
  const absl::StatusOr<bool> clean = PrintAudit(path, std::cout);
  if (!clean.ok()) return base::ExitCode(clean.status());
  return *clean ? 0 : 1;
}

}  // namespace slipway::ledger

int main(int argc, char** argv) {
  return slipway::serving::RunProgram(
      argc, argv,
      {.name = "slipway-ledger",
       .purpose = "Decides whether money may be spent, and records what was.",
       .config_message = "LedgerConfig",
       .serve = slipway::ledger::Serve,
       .audit = slipway::ledger::Audit});
}
