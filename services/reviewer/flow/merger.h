#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/flow/workshop.h"

namespace slipway::reviewer {

// Lands candidates: the only code that moves a plan's branch after it was opened. Blocks;
// thread-safe.
//
// A landing is an intent in the store, the compare-and-swap, and the mark in the store. Whoever
// starts after a crash calls Recover, which finishes or abandons each intent by where its ref is.
class Merger final {
 public:
  explicit Merger(const Workshop& workshop) : workshop_(workshop) {}

  // What landed; a repeat returns the same. Fails with CandidateUnknown, EvidenceMissing,
  // EvidenceFailed, VerdictMissing, BranchMoved, and for an integration as Sources do.
  absl::StatusOr<Merged> Merge(const std::string& candidate, const std::string& approver);

  // Ends all intents. Call before anything else lands.
  absl::Status Recover();

 private:
  absl::Status CheckEvidence(const Plan& plan, const Candidate& candidate);
  absl::Status CheckVerdict(const Plan& plan, const Candidate& candidate,
                            const std::string& approver);
  absl::StatusOr<Merged> LandChange(const Plan& plan, const Candidate& candidate,
                                    const std::string& approver);
  absl::StatusOr<Merged> MarkChange(const Plan& plan, const Candidate& candidate,
                                    const std::string& approver);
  absl::Status RecoverOne(const LandIntent& intent);

  const Workshop& workshop_;
};

}  // namespace slipway::reviewer
