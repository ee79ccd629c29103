#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/ledger/domain/amounts.h"
#include "services/ledger/domain/scope_path.h"

namespace slipway::ledger {

// Tokens of one call by how they are priced. `reasoning` is a part of `output`.
struct TokenCounts {
  int64_t input = 0;
  int64_t cache_read = 0;
  int64_t cache_write = 0;
  int64_t cache_write_long = 0;
  int64_t output = 0;
  int64_t reasoning = 0;
  int64_t searches = 0;

  int64_t AllInput() const { return input + cache_read + cache_write + cache_write_long; }
  int64_t All() const { return AllInput() + output; }
  friend bool operator==(const TokenCounts&, const TokenCounts&) = default;
};

enum class Basis { kReported = 1, kEstimatedUpper = 2, kReconciled = 3 };

const char* NameOf(Basis basis);

// One call and what it cost. `charged` counts against budgets; where the outcome is unknown it is
// the hold, and `tokens` is what was measured.
struct UsageRecord {
  std::string reservation;
  absl::Time record_time;
  absl::Time charge_time;
  ScopePath scopes;
  std::string provider;
  std::string model;
  std::string service_tier;
  TokenCounts tokens;
  Amounts charged;
  int64_t first_cost = 0;  // Before corrections.
  Basis basis = Basis::kReported;
  std::string provider_request_id;
  int64_t price = 0;  // Row id of the price; 0 when the caller named the cost.
};

// A later change of the cost of a call: never an edit, always a row of its own.
struct Adjustment {
  std::string key;
  std::string reservation;
  absl::Time time;
  int64_t delta_usd_nanos = 0;
  std::string evidence;
};

// Fields that sums of usage can be grouped by.
struct UsageGroups {
  bool day = false;
  bool project = false;
  bool plan = false;
  bool task = false;
  bool attempt = false;
  bool role = false;
  bool provider = false;
  bool model = false;
};

// Sums over records that agree in the grouped fields; the others are empty.
struct UsageRollup {
  std::optional<absl::Time> day;
  ScopePath scopes;
  std::string provider;
  std::string model;
  int64_t calls = 0;
  TokenCounts tokens;
  int64_t cost_usd_nanos = 0;
  int64_t estimated_usd_nanos = 0;
};

}  // namespace slipway::ledger
