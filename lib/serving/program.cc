#include "lib/serving/program.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "lib/base/exit_code.h"
#include "lib/rpc/signals.h"

namespace slipway::serving {

namespace {

int ExitCodeOf(const absl::StatusOr<bool>& sound) {
  if (!sound.ok()) return base::ExitCode(sound.status());
  return *sound ? 0 : 1;
}

}  // namespace

int RunProgram(int argc, char** argv, const Program& program) {
  rpc::PrepareProcess();
  CLI::App app(program.purpose, program.name);
  app.set_version_flag("--version", absl::StrCat(program.name, " ", SLIPWAY_VERSION));
  std::string config_path, audited_path;
  CLI::Option* const config = app.add_option(
      "--config", config_path, absl::StrCat("Path of a ", program.config_message, " in YAML"));
  if (program.audit != nullptr) {
    app.add_option("--audit", audited_path,
                   "Check every invariant of what is in this database, print them as JSON, and "
                   "end: with 1 when one is broken")
        ->excludes(config);
  }
  CLI11_PARSE(app, argc, argv);
  if (!audited_path.empty()) return ExitCodeOf(program.audit(audited_path, std::cout));
  if (config_path.empty()) return app.exit(CLI::RequiredError("--config"));
  return base::ExitCode(program.serve(config_path));
}

}  // namespace slipway::serving
