#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace slipway::bench {

struct ModelsBenchOptions {
  double rate = 200;                        // Requests a second.
  int rounds = 6;                           // Of slipway; peers have a third.
  absl::Duration slice = absl::Seconds(2);  // Of each contestant and kind in each round.
  int streams = 1'000;                      // Open at once, to measure memory; 0: none.
  int64_t prompt_bytes = 4'000;             // Of each of those.
  std::string directory = "/var/tmp";       // Where the databases are: a disk, not memory.
  std::string models;                       // The program; empty: slipway-models beside this one.
  std::string litellm;                      // Virtual environment; empty: the default.
  bool peers = true;
  bool json = false;
};

// Measures slipway-models between a client and an endpoint of our own, then its peers one after the
// other, each slice by slice in turn with the direct connection, and prints the figures.
absl::Status RunModelsBench(const ModelsBenchOptions& options);

// The command "models", whose result goes to `status`.
void AddModelsCommand(CLI::App& app, absl::Status& status);

}  // namespace slipway::bench
