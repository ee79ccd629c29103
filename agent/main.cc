#include <iostream>
#include <string>

#include "CLI/CLI.hpp"

#include "agent/runner/run.h"
#include "agent/supervisor/run.h"
#include "lib/base/exit_code.h"
#include "lib/rpc/signals.h"

int main(int argc, char** argv) {
  slipway::rpc::PrepareProcess();
  CLI::App app("Works on one task at a time for a dispatcher, in a sandbox.", "slipway-agent");
  std::string config_path;
  bool runner = false;
  app.set_version_flag("--version", std::string("slipway-agent ") + SLIPWAY_VERSION);
  app.add_option("--config", config_path, "Path of an AgentConfig in YAML.");
  app.add_flag("--runner", runner, "Runs inside the sandbox; for the supervisor only.")->group("");
  CLI11_PARSE(app, argc, argv);
  if (runner) return slipway::base::ExitCode(slipway::agent::RunInside());
  if (config_path.empty()) {
    std::cerr << "error: --config is required\n";
    return 2;
  }
  return slipway::base::ExitCode(slipway::agent::RunOutside(config_path));
}
