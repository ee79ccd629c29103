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

// A change that waits for those ahead of it in the queue, or of its batch.
struct QueuedChange {
  std::string detail;
};

// A change whose validators failed where nothing ahead of it can be the cause.
struct RejectedChange {
  std::string feedback;
};

using BuildOutcome = std::variant<Candidate, ConflictReport, Merged, QueuedChange, RejectedChange>;

// The conflicts as feedback: hunks are cut at a line and without credentials, at most
// kConflictPathsMax paths.
ConflictReport ReportOf(const git::Oid& base, const std::vector<git::Conflict>& conflicts);

// Builds what the merge of an accepted change would give. Blocks; thread-safe.
class CandidateBuilder final {
 public:
  explicit CandidateBuilder(const Workshop& workshop) : workshop_(workshop) {}

  // The candidate of an accepted change on the commit `base`, in hexadecimal digits, or what
  // conflicts there; the same for the same. `group` is for the merge queue.
  absl::StatusOr<BuildOutcome> BuildOn(const Plan& plan, const Inspection& change,
                                       const std::string& base, const std::string& group);

  // Its name.
  static absl::StatusOr<std::string> NameOn(const Plan& plan, const Inspection& change,
                                            const std::string& base);

 private:
  struct Job;

  absl::StatusOr<std::optional<git::Oid>> TakeFastPath(Job& job);
  absl::StatusOr<Candidate> Finish(Job& job, const git::Oid& tree);

  const Workshop& workshop_;
};

}  // namespace slipway::reviewer
