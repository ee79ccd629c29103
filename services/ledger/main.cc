#include <malloc.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "lib/base/exit_code.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/rpc/signals.h"
#include "services/ledger/offline_audit.h"
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

// Unless told otherwise, the C library gives the end of a heap back to the system whenever 128 KiB
// of it are free, and gets it again with the next batch: 6 % of the writer's time in a profile.
void KeepFreedMemory() { mallopt(M_TRIM_THRESHOLD, 32 << 20); }

int Audit(const std::string& path) {
  const absl::StatusOr<bool> clean = PrintAudit(path, std::cout);
  if (!clean.ok()) return base::ExitCode(clean.status());
  return *clean ? 0 : 1;
}

}  // namespace
}  // namespace slipway::ledger

int main(int argc, char** argv) {
  slipway::rpc::PrepareProcess();
  slipway::ledger::KeepFreedMemory();
  CLI::App app("Decides whether money may be spent, and records what was.", "slipway-ledger");
  app.set_version_flag("--version", "slipway-ledger 0.1.0");
  std::string config_path, audited_path;
  CLI::Option* const config =
      app.add_option("--config", config_path, "Path of a LedgerConfig in YAML");
  app.add_option("--audit", audited_path,
                 "Check every invariant of the ledger in this file, print them as JSON, and end: "
                 "with 1 when one is broken")
      ->excludes(config);
  CLI11_PARSE(app, argc, argv);
  if (!audited_path.empty()) return slipway::ledger::Audit(audited_path);
  if (config_path.empty()) return app.exit(CLI::RequiredError("--config"));
  return slipway::base::ExitCode(slipway::ledger::Main(config_path));
}
