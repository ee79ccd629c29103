#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "services/ledger/domain/changes.h"
#include "services/ledger/domain/reservation.h"

namespace slipway::ledger {

// The head of the chain of journal entries. Not thread-safe.
class Journal final {
 public:
  // Goes on after the entry that was stored last.
  void Resume(int64_t sequence, std::string digest, absl::Time time) {
    sequence_ = sequence;
    digest_ = std::move(digest);
    time_ = time;
  }

  // The time of a change at wall time `now`, in whole microseconds as it is stored: never before
  // that of an earlier change.
  absl::Time NotBefore(absl::Time now) {
    return time_ = std::max(time_, absl::FromUnixMicros(absl::ToUnixMicros(now)));
  }

  // The next entry: what became of `reservation`, which may be null, and of the buckets, besides
  // `facts`, an object.
  JournalEntry Next(absl::Time time, absl::string_view operation, const std::string& key,
                    const Reservation* reservation, absl::Span<const Posting> postings,
                    nlohmann::json facts);

  // The digest that an entry must have after one with digest `previous`.
  static std::string DigestOf(const JournalEntry& entry, const std::string& previous);

 private:
  int64_t sequence_ = 0;
  std::string digest_;
  absl::Time time_ = absl::UnixEpoch();
};

}  // namespace slipway::ledger
