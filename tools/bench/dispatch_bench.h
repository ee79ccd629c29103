#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace slipway::bench {

struct DispatchBenchOptions {
  int tasks = 4'000;  // Of each round of the throughput.
  int agents = 64;
  int rounds = 3;
  double grant_seconds = 10;
  double idle_seconds = 20;
  int kills = 5;
  bool large_plan = true;
  bool peers = true;
  std::vector<std::string> only;       // Scenarios; empty: all.
  std::string directory = "/var/tmp";  // Where the databases are: a disk, not memory.
  std::string dispatcher;              // The program; empty: slipway-dispatcher beside this one.
  bool json = false;
};

// Measures slipway-dispatcher, scenario by scenario, and its peers; prints the figures.
absl::Status RunDispatchBench(const DispatchBenchOptions& options);

// Adds the command `dispatch`, whose result goes to `status`, and the agents that it stops.
void AddDispatchCommand(CLI::App& app, absl::Status& status);

}  // namespace slipway::bench
