#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/events/event.h"
#include "services/ledger/domain/budget.h"
#include "services/ledger/domain/frozen_scope.h"
#include "services/ledger/domain/price_book.h"
#include "services/ledger/domain/reservation.h"
#include "services/ledger/domain/usage.h"

namespace slipway::ledger {

// One line of the history from which every balance can be computed again. Lines form a chain:
// `digest` covers the line and the digest before it.
struct JournalEntry {
  int64_t sequence = 0;
  absl::Time time;
  std::string operation;
  std::string key;
  std::string body;  // JSON; see journal.h.
  std::string digest;
};

// A change of a bucket, for the journal.
struct Posting {
  std::string budget;
  absl::Time window_start;
  int64_t posted = 0;
  int64_t reserved = 0;
  int64_t overage = 0;
  // Of a grant: the limit that it was checked against.
  std::optional<int64_t> limit;
};

// Added to the sums of the day, scopes, provider, model and tier of `record`.
struct RollupChange {
  UsageRecord record;
  int64_t calls = 0;
  TokenCounts tokens;
  int64_t cost_usd_nanos = 0;
  int64_t estimated_usd_nanos = 0;
  Amounts charged;  // What counts for budgets, at the time that `record` is charged at.
};

// The first reply to a request with an id.
struct StoredReply {
  std::string request_id;
  std::string digest;
  std::string body;
};

// The life of an owner that may reserve; earlier ones are fenced.
struct OwnerEpoch {
  std::string owner;
  int64_t epoch = 0;
};

// Everything that a decision changes: stored as one step or not at all. Rows are complete.
struct Changes {
  std::vector<Reservation> added;
  std::vector<Reservation> updated;
  std::vector<Bucket> buckets;
  std::vector<Budget> budgets;
  std::vector<UsageRecord> usage_added;
  std::vector<UsageRecord> usage_updated;
  std::vector<RollupChange> rollups;
  std::vector<Adjustment> adjustments;
  std::vector<Price> prices;
  std::vector<StoredReply> replies;
  std::vector<OwnerEpoch> owners;
  std::vector<FrozenScope> frozen;
  std::vector<std::string> unfrozen;
  std::vector<JournalEntry> journal;
  std::vector<events::EventDraft> events;
  absl::Time time;

  bool empty() const { return journal.empty(); }
};

}  // namespace slipway::ledger
