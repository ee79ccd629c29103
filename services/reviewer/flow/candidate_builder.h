#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/git/merge.h"
#include "lib/git/oid.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/flow/workshop.h"

namespace slipway::reviewer {

struct ConflictedPath {
  std::string path;
  std::string kind;
  std::string hunks;
};

struct ConflictReport {
  std::string base;
  std::vector<ConflictedPath> paths;
};

using BuildOutcome = std::variant<Candidate, ConflictReport, Merged>;

// The conflicts as feedback: hunks are cut at a line, at most kConflictPathsMax paths.
ConflictReport ReportOf(const git::Oid& base, const std::vector<git::Conflict>& conflicts);

// Builds what the merge of an accepted change would give. Blocks; thread-safe.
class CandidateBuilder final {
 public:
  explicit CandidateBuilder(const Workshop& workshop) : workshop_(workshop) {}

  // The candidate on the present tip of the plan's branch; the same for the same tip. What landed
  // is returned in its place. Fails with ChangeUnknown, PlanUnknown or NAME_INVALID.
  absl::StatusOr<BuildOutcome> Build(const std::string& attempt);

 private:
  struct Job;

  absl::StatusOr<std::optional<git::Oid>> TakeFastPath(Job& job);
  absl::StatusOr<Candidate> Finish(Job& job, const git::Oid& tree);

  const Workshop& workshop_;
};

}  // namespace slipway::reviewer
