#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace slipway::serving {

// What distinguishes the program of one service from the others.
struct Program {
  const char* name;            // "slipway-planner"
  const char* purpose;         // What --help begins with, in one sentence.
  const char* config_message;  // "PlannerConfig": what the file of --config is, in YAML.
  // Serves by the configuration in this file until a signal ends it.
  std::function<absl::Status(const std::string& config_path)> serve;
  // Checks this file of the service's and prints what it found: whether all of it is as it has to
  // be. Null: there is no --audit.
  std::function<absl::StatusOr<bool>(const std::string& path, std::ostream& out)> audit = nullptr;
};

// The main function of a service: prepares the process, reads the command line, which is --config
// and what every program has, and serves. Returns the exit code; errors are on stderr.
int RunProgram(int argc, char** argv, const Program& program);

}  // namespace slipway::serving
