#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/ledger/domain/changes.h"
#include "services/ledger/domain/journal.h"
#include "services/ledger/domain/mirror.h"

namespace slipway::ledger {

// One change under way: applies postings to the mirror's buckets and collects what must be stored.
class Step final {
 public:
  Step(Journal& journal, Changes& changes, absl::Time time)
      : journal_(journal), changes_(changes), time_(time) {
    changes_.time = time;
  }
  ~Step();
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  absl::Time time() const { return time_; }
  Changes& changes() { return changes_; }

  // Adds `posting` to `bucket`, which is of `budget`: freezes it when an overrun takes it over its
  // limit, and tells of the thresholds that it crosses.
  void Post(const Budget& budget, Bucket& bucket, Posting posting);

  // Stores `bucket` as it is at the end of the step.
  void Touch(Bucket& bucket);

  // Corrects what `bucket` knows of calls that ended before its budget counted.
  void CorrectSeed(Bucket& bucket, int64_t delta);

  // Tells of thresholds of the limit that were crossed and not told of in this window.
  void Warn(const Budget& budget, Bucket& bucket);

  // Writes the journal entry of the postings since the last one; `facts` as of journal_facts.h.
  void Record(absl::string_view operation, const std::string& key, const Reservation* reservation,
              nlohmann::json facts = nlohmann::json::object());

  // Adds a usage record, its sums and its event.
  void AddUsage(const UsageRecord& record);

  // Adds `cost` and `tokens` to an existing record, whose hold may have been an estimate.
  void CorrectUsage(const UsageRecord& before, const UsageRecord& after);

 private:
  // A budget of each window on each of the scopes of a call.
  static constexpr size_t kPostingsUsual = 18;

  Journal& journal_;
  Changes& changes_;
  const absl::Time time_;
  absl::InlinedVector<Posting, kPostingsUsual> postings_;
  absl::InlinedVector<Bucket*, kPostingsUsual> touched_;  // Each once.
};

}  // namespace slipway::ledger
