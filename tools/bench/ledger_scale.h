#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace slipway::bench {

struct LedgerScaleOptions {
  int64_t rows = 10'000'000;
  std::string directory = "/var/tmp";
  bool json = false;
};

// Fills a ledger with usage through its own storage code, starts slipway-ledger on it, and prints
// how long the start, sums of usage, pages of usage and a new budget take, and its memory.
absl::Status RunLedgerScale(const LedgerScaleOptions& options);

}  // namespace slipway::bench
