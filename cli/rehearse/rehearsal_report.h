#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/rehearse/history.h"

namespace slipway::cli {

// What became of one commit.
struct Replay {
  enum class Verdict {
    kPending,    // Not accounted for: nothing may end like this.
    kExact,      // Its tree is what history has.
    kRefused,    // Policy, or the agent's reading of the patch, refused it and said why.
    kDifferent,  // Its tree is another, or it failed for a reason that is no refusal.
  };

  Verdict verdict = Verdict::kPending;
  std::string tree;    // What landed; empty when nothing did.
  std::string reason;  // Reason code first; of a refusal or a failure.
  std::string waiver;  // What a person may waive and was waived here; empty for most.
};

// How a rehearsal ended.
struct RehearsalReport {
  std::string branch;  // As it was named; empty for what is checked out.
  size_t requested = 0;
  std::vector<HistoricCommit> commits;  // What was replayed, oldest first.
  std::vector<Replay> replays;          // One for each.
  int plans = 0;
  absl::Duration took;
  absl::Duration start_took;  // Of it, until the suite was ready and the script written.
  std::string data;           // Empty when the data directory is removed.

  size_t Count(Replay::Verdict verdict) const;

  // Whether every commit is exact, or refused with a reason.
  bool Passed() const;

  // As one JSON object.
  std::string Json() const;
};

}  // namespace slipway::cli
