#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "lib/sqlite/reader.h"
#include "services/ledger/storage/audit_sums.h"

namespace slipway::ledger {

// A sum over (key, value) pairs that does not depend on their order: two lists with the same sum
// are the same but for a chance of 1 in 2^64.
class Fingerprint final {
 public:
  void Add(const std::string& key, int kind, int64_t amount) {
    sum_ += absl::HashOf(key, kind) * static_cast<uint64_t>(amount);
  }
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;

 private:
  uint64_t sum_ = 0;
};

// What became of reservations: the ones that are open by name, the others as a fingerprint of how
// they ended and at what.
struct ReservationStates {
  absl::flat_hash_set<std::string> open;
  std::map<int, int64_t> ended_by_state;
  Fingerprint ended;
  int64_t decided = 0;

  void End(const std::string& key, ReservationState state, const Amounts& settled);
};

// Replays the journal from its first entry, with no more memory than open holds and buckets need.
// Fills the replayed sums of `sums` and the checks of what the journal alone can tell.
class JournalReplay final {
 public:
  JournalReplay(AuditSums& sums, RowCount& rows) : sums_(sums), rows_(rows) {}

  absl::Status Run(sqlite::Reader& reader);

  // Compares limits, prices and freezes that were replayed with the tables.
  absl::Status CompareTables(sqlite::Reader& reader);

  AuditCheck& within_limits() { return within_limits_; }
  AuditCheck& zero_limits() { return zero_limits_; }
  AuditCheck& ends() { return ends_; }
  AuditCheck& chain() { return chain_; }
  AuditCheck& time() { return time_check_; }
  ReservationStates& states() { return states_; }
  absl::Time last_time() const { return last_time_; }

 private:
  void Replay(const JournalEntry& entry);
  void ReplayLine(const JournalEntry& entry, const nlohmann::json& line);
  void ReplayPosting(const JournalEntry& entry, const Posting& posting);
  void ReplayState(const JournalEntry& entry, const nlohmann::json& body);
  void ReplayFacts(const JournalEntry& entry, const nlohmann::json& body);
  void Breach(AuditCheck& check, const JournalEntry& entry, absl::string_view problem);

  AuditSums& sums_;
  RowCount& rows_;
  AuditCheck within_limits_ = {.invariant = "I1 every grant was within its limits"};
  AuditCheck zero_limits_ = {.invariant = "I15 a limit of zero admitted nothing"};
  AuditCheck ends_ = {.invariant = "I7 every reservation ends once"};
  AuditCheck chain_ = {.invariant = "I10 the journal is intact and replays to the tables"};
  AuditCheck time_check_ = {.invariant = "I16 time never went back"};
  ReservationStates states_;
  absl::flat_hash_map<std::string, std::string> budgets_;  // Facts by id.
  absl::flat_hash_map<int64_t, std::string> prices_;       // Facts by id.
  absl::flat_hash_set<std::string> frozen_;
  std::string digest_;
  int64_t sequence_ = 0;
  absl::Time last_time_ = absl::InfinitePast();
};

}  // namespace slipway::ledger
