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
};

// Keeps what validators said about trees. Blocks; thread-safe.
class EvidenceRecorder final {
 public:
  explicit EvidenceRecorder(const Workshop& workshop) : workshop_(workshop) {}

  // Fails with CandidateUnknown, TreeDiffers, ValidatorsDiffer or NAME_INVALID. A repeat replaces
  // what the attempt said before.
  absl::StatusOr<RecordedEvidence> Record(const EvidenceReport& report);

 private:
  const Workshop& workshop_;
};

}  // namespace slipway::reviewer
