#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace slipway::bench {

struct StormOptions {
  std::string program;    // slipway-ledger.
  std::string directory;  // For the database and the socket; exists.
  int clients = 256;
  int64_t limit = 1'000;  // Calls.
  int kills = 0;      // SIGKILLs of the ledger while clients work; each is followed by an audit.
  uint64_t seed = 1;  // Of the moments of the kills.
};

// What a storm has left behind. Clients count what they were granted and what their provider
// billed in memory of their own, which no kill reaches.
struct StormReport {
  int64_t limit = 0;
  int64_t granted = 0;             // Holds that were acknowledged and not given back.
  int64_t billed_usd_nanos = 0;    // The provider's own log.
  int64_t recorded_usd_nanos = 0;  // What the ledger says was spent.
  int64_t recorded_calls = 0;
  int64_t leftover_holds = 0;
  int64_t lost = 0;  // Acknowledged holds or ends that the ledger does not know any more.
  int64_t audit_breaches = 0;
  int64_t audits = 0;
  int kills = 0;

  // Above 1 more was spent than was allowed.
  double OverspendFactor() const {
    return static_cast<double>(recorded_calls > granted ? recorded_calls : granted) /
           static_cast<double>(limit);
  }
};

// `clients` want more calls than a budget of `limit` calls allows; some give theirs back. They end
// when the budget says that it is spent. Requests that a kill leaves without an answer are repeated
// with their key.
absl::StatusOr<StormReport> RunStorm(const StormOptions& options);

}  // namespace slipway::bench
