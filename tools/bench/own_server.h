#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/status.h"

namespace slipway::bench {

// Serves `kind` until SIGTERM: "echo", an empty unary call; "naive", a ledger of one commit per
// operation in the SQLite file `database`; or "completions", a ModelUpstream.
absl::Status Serve(const std::string& kind, const std::string& listen, const std::string& database);

// Adds the command `serve`, which is not in the help, and whose result goes to `status`.
void AddServeCommand(CLI::App& app, absl::Status& status);

}  // namespace slipway::bench
