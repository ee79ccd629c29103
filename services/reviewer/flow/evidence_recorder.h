#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/flow/workshop.h"

namespace slipway::reviewer {

struct EvidenceReport {
  std::string candidate;
  std::string tree;
  std::string validator_digest;
  std::vector<ValidatorResult> results;
  std::string attempt;
};

struct RecordedEvidence {
  bool passed = false;
  std::string feedback;
  // They failed and may be flaky: they are to run on the tree again.
  bool rerun = false;
  // They failed, but a change that has not landed, or another of the batch, may be the cause.
  bool unresolved = false;
  std::vector<std::string> flaky;  // Validators that both failed and passed on the tree.
};

// Keeps what validators said about trees. Blocks; thread-safe.
class EvidenceRecorder final {
 public:
  explicit EvidenceRecorder(const Workshop& workshop) : workshop_(workshop) {}

  // Fails with CandidateUnknown, TreeDiffers, ValidatorsDiffer or NAME_INVALID. A repeat replaces
  // what the attempt said before.
  absl::StatusOr<RecordedEvidence> Record(const EvidenceReport& report);

 private:
  absl::StatusOr<bool> IsResolved(const Plan& plan, const Candidate& candidate);

  const Workshop& workshop_;
};

}  // namespace slipway::reviewer
