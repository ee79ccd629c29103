#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/flow/workshop.h"

namespace slipway::reviewer {

// Lands candidates: the only code that moves a plan's branch after it was opened. Blocks;
// thread-safe.
//
// A landing is an intent in the store, for all candidates that one move of the branch lands, the
// compare-and-swap, and the mark in the store. Whoever starts after a crash calls Recover, which
// finishes or abandons each intent by where its ref is.
class Merger final {
 public:
  explicit Merger(const Workshop& workshop) : workshop_(workshop) {}

  // What landed; a repeat returns the same. With it lands what is ahead of it in `order` (see
  // LandingQueue) and ready. Fails with CandidateUnknown, EvidenceMissing, EvidenceFailed,
  // VerdictMissing, BranchMoved, QueueWaiting, and for an integration as Sources do.
  absl::StatusOr<Merged> Merge(const std::string& candidate, const std::string& approver,
                               const std::vector<std::string>& order = {});

  // Ends all intents. Call before anything else lands.
  absl::Status Recover();

 private:
  // A candidate, and who let it through.
  struct Approved {
    Candidate candidate;
    std::string approver;
  };

  absl::Status CheckEvidence(const Plan& plan, const Candidate& candidate);
  absl::Status CheckVerdict(const Plan& plan, const Candidate& candidate,
                            const std::string& approver);
  absl::StatusOr<Merged> LandQueued(const Plan& plan, const Candidate& candidate,
                                    const std::string& approver,
                                    const std::vector<std::string>& order);
  absl::StatusOr<std::vector<Approved>> ChainOf(const Plan& plan, const QueuePlan& queue);
  absl::Status Land(const Plan& plan, const std::vector<Approved>& chain);
  absl::Status Mark(const Plan& plan, const std::vector<Approved>& chain);
  void Prune(const Plan& plan, const std::vector<Approved>& chain);
  absl::Status RecoverOne(const LandIntent& intent);

  const Workshop& workshop_;
};

}  // namespace slipway::reviewer
