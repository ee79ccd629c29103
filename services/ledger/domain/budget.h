#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/ledger/domain/amounts.h"
#include "services/ledger/domain/scope_path.h"
#include "services/ledger/domain/window.h"

namespace slipway::ledger {

// As long as a string may be without memory of its own: every leg and posting names its budget, and
// fifteen of each in every decision were a third of its time. 56 bits of a digest keep apart more
// budgets than people will ever set.
inline constexpr size_t kBudgetIdBytes = 15;

// A limit on one scope, metric and window. A budget that was removed goes on counting without a
// limit, so that setting it again misses nothing.
struct Budget {
  std::string id;  // Derived from scope, metric and window: budgets/{id}.
  std::string scope;
  ScopePath path;  // What `scope` stands for.
  Metric metric = Metric::kUsdNanos;
  Window window = Window::kTotal;
  std::string time_zone;
  absl::TimeZone zone;  // Of `time_zone`.
  std::optional<int64_t> limit;
  int64_t version = 0;
  bool frozen = false;
  std::vector<int32_t> warn_percents;  // Ascending.
  absl::Time since;                    // When it began to count.

  absl::Time WindowStartAt(absl::Time time) const { return WindowStart(window, zone, time); }
};

// How a budget stands in one window.
struct Bucket {
  std::string budget;
  absl::Time window_start;
  int64_t posted = 0;
  int64_t reserved = 0;
  int64_t overage = 0;
  int64_t seeded = 0;           // The part of `posted` that was spent before the budget counted.
  int32_t warned = 0;           // Highest threshold that was told of.
  bool frozen = false;          // A settlement went over the limit; a person sets the budget anew.
  int64_t unrecorded_seed = 0;  // The part of `seeded` that the journal does not tell of yet.
};

struct Balance {
  Budget budget;
  Bucket bucket;
  absl::Time as_of = absl::InfinitePast();  // When it was read, to project from; else not given.
};

// The id of the budget for a scope, metric and window.
std::string BudgetId(const std::string& scope, Metric metric, Window window);

// "USD_NANOS", "TOKENS", "REQUESTS"; "TOTAL", "MONTH", "DAY".
const char* NameOf(Metric metric);
const char* NameOf(Window window);

}  // namespace slipway::ledger
