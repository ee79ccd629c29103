#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace slipway::bench {

struct LedgerBenchOptions {
  int in_flight = 64;
  int rounds = 5;
  absl::Duration slice = absl::Seconds(2);  // Of each contestant in each round.
  std::string directory = "/var/tmp";       // Where the databases are: a disk, not memory.
  bool peers = true;
  bool json = false;
};

// Measures slipway-ledger and its contestants in turn, slice by slice, and prints the figures.
absl::Status RunLedgerBench(const LedgerBenchOptions& options);

}  // namespace slipway::bench
