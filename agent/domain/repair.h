#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "agent/domain/grant.h"
#include "agent/domain/result.h"

namespace slipway::agent {

// What the agent's own run of the validators says about a change.
enum class CheckVerdict {
  kPassed,
  kFailed,
  kNotRun,  // The host or the time did not let them run: nothing is known, nothing to repair.
};

// Decides after each checked change of an attempt whether the model is asked to repair it, and
// keeps the best of them to hand in. Times are on Clock::Elapsed. Not thread-safe.
class Repair final {
 public:
  // `rounds_max` counts every repair of the attempt, also those of edits that did not apply.
  Repair(int rounds_max, absl::Duration started, absl::Duration deadline);

  struct Decision {
    bool ask = false;
    std::string why;  // For people: why it ends, or what is asked for.
  };
  // One round is over: the model was asked, `change` was checked. A round that was decided on is
  // counted; rounds that the runner used are those of `change`.
  Decision Take(Change change, CheckVerdict verdict, absl::Duration now);

  int rounds_left() const { return rounds_max_ - rounds_; }
  int rounds() const { return rounds_; }

  // Until when the model may work, and until when validators may: what there is to hand in by then
  // gets time to arrive.
  absl::Duration round_deadline() const;
  absl::Duration check_deadline() const { return deadline_ - reserve_; }

  // Whether there is something to hand in, and what: the one on which most validators passed,
  // the later one of equals, with the rounds of the whole attempt.
  bool has_change() const { return best_.has_value(); }
  Change TakeBest();

 private:
  std::string WhyNotToAsk(const Change& change, CheckVerdict verdict, absl::Duration now) const;

  const int rounds_max_;
  const absl::Duration deadline_;
  const absl::Duration reserve_;
  int rounds_ = 0;
  absl::Duration round_started_;
  absl::Duration longest_round_;
  std::set<std::string> trees_;
  CheckVerdict best_verdict_ = CheckVerdict::kFailed;
  std::optional<Change> best_;
};

// "unit-tests failed with exit code 1", for one line of a log or a note.
std::string OutcomeText(const ValidatorOutcome& outcome);

// What the model reads of the validator that failed: its command, how it ended and the end of its
// output. Empty when none failed.
std::string FindingsText(const std::vector<Validator>& validators,
                         const std::vector<ValidatorOutcome>& outcomes);

}  // namespace slipway::agent
