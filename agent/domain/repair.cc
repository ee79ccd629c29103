#include "agent/domain/repair.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "lib/base/utf8.h"

namespace slipway::agent {
namespace {

// For the last log lines and the result to arrive before the dispatcher's own deadline; a short
// attempt keeps most of its time for work.
constexpr absl::Duration kReserveMax = absl::Seconds(5);
constexpr int kReserveShare = 10;
// A model and a validator that answer in less are not counted on.
constexpr absl::Duration kRoundMin = absl::Seconds(2);
constexpr size_t kFindingBytesMax = 6u << 10;
constexpr size_t kCommandBytesMax = 512;

int Rank(CheckVerdict verdict) {
  switch (verdict) {
    case CheckVerdict::kFailed:
      return 0;
    case CheckVerdict::kNotRun:
      return 1;
    case CheckVerdict::kPassed:
      return 2;
  }
  return 0;
}

size_t PassedOf(const Change& change) {
  return static_cast<size_t>(
      std::count_if(change.outcomes.begin(), change.outcomes.end(),
                    [](const ValidatorOutcome& outcome) { return outcome.passed(); }));
}

std::string EndText(const ValidatorOutcome& outcome) {
  if (outcome.timed_out) {
    return absl::StrCat("ran out of time after ",
                        absl::FormatDuration(absl::Floor(outcome.run_duration, absl::Seconds(1))));
  }
  if (outcome.passed()) return "passed";
  return absl::StrCat("failed with exit code ", outcome.exit_code);
}

}  // namespace

Repair::Repair(int rounds_max, absl::Duration started, absl::Duration deadline)
    : rounds_max_(rounds_max),
      deadline_(deadline),
      reserve_(std::min(kReserveMax, (deadline - started) / kReserveShare)),
      round_started_(started) {}

absl::Duration Repair::round_deadline() const {
  return best_.has_value() ? deadline_ - reserve_ : deadline_;
}

Repair::Decision Repair::Take(Change change, CheckVerdict verdict, absl::Duration now) {
  rounds_ = std::min(rounds_ + change.repair_rounds, rounds_max_);
  longest_round_ = std::max(longest_round_, now - round_started_);
  round_started_ = now;
  Decision decision{.why = WhyNotToAsk(change, verdict, now)};
  decision.ask = decision.why.empty();
  if (decision.ask) {
    ++rounds_;
    decision.why = absl::StrCat("asking for repair ", rounds_, " of ", rounds_max_);
  }
  trees_.insert(change.tree);
  const bool better =
      !best_.has_value() || Rank(verdict) > Rank(best_verdict_) ||
      (Rank(verdict) == Rank(best_verdict_) && PassedOf(change) >= PassedOf(*best_));
  if (better) {
    best_ = std::move(change);
    best_verdict_ = verdict;
  }
  return decision;
}

std::string Repair::WhyNotToAsk(const Change& change, CheckVerdict verdict,
                                absl::Duration now) const {
  if (verdict == CheckVerdict::kPassed) return "every validator passed";
  if (verdict == CheckVerdict::kNotRun) return "the validators could not tell";
  if (rounds_ >= rounds_max_) return "the rounds of repair are spent";
  if (trees_.count(change.tree) > 0) return "the model gives the same change again";
  const absl::Duration needed = std::max(longest_round_, kRoundMin) + reserve_;
  if (deadline_ - now < needed) return "the attempt's time does not allow another round";
  return "";
}

Change Repair::TakeBest() {
  best_->repair_rounds = rounds_;
  for (ValidatorOutcome& outcome : best_->outcomes) {
    std::string& tail = outcome.output_tail;
    if (tail.size() <= kHintTailBytesMax) continue;
    size_t from = tail.size() - kHintTailBytesMax;
    while (from < tail.size() && (tail[from] & 0xc0) == 0x80) ++from;  // Not within a character.
    tail.erase(0, from);
  }
  return *std::move(best_);
}

std::string OutcomeText(const ValidatorOutcome& outcome) {
  return absl::StrCat(outcome.validator, " ", outcome.not_run ? "could not run" : EndText(outcome));
}

std::string FindingsText(const std::vector<Validator>& validators,
                         const std::vector<ValidatorOutcome>& outcomes) {
  const auto failed = std::find_if(outcomes.begin(), outcomes.end(),
                                   [](const auto& outcome) { return !outcome.passed(); });
  if (failed == outcomes.end()) return "";
  std::string text =
      absl::StrCat("The validator '", failed->validator, "' ", EndText(*failed), ".");
  const auto validator = std::find_if(validators.begin(), validators.end(), [&](const auto& one) {
    return one.name == failed->validator;
  });
  if (validator != validators.end()) {
    absl::StrAppend(&text, "\nIts command: ",
                    base::ToUtf8(absl::StrJoin(validator->command, " "), kCommandBytesMax));
    if (!validator->directory.empty()) absl::StrAppend(&text, " (in ", validator->directory, ")");
  }
  const absl::string_view tail = failed->output_tail;
  size_t from = tail.size() - std::min(tail.size(), kFindingBytesMax);
  while (from > 0 && from < tail.size() && (tail[from] & 0xc0) == 0x80) ++from;
  absl::StrAppend(&text, from == 0 ? "\nIts output:\n" : "\nThe end of its output:\n",
                  tail.empty() ? "(nothing)" : base::ToUtf8(tail.substr(from), kFindingBytesMax));
  return text;
}

}  // namespace slipway::agent
