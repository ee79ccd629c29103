#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/flow/workshop.h"

namespace slipway::reviewer {

// Lands the integration of a plan as its policy says. The caller has checked the evidence. Every
// step is a compare-and-swap or does nothing when repeated. Blocks; thread-safe.
class Integrator final {
 public:
  explicit Integrator(const Workshop& workshop) : workshop_(workshop) {}

  // What landed, with words for a person on how to go on. Fails with BranchMoved when the target
  // or the plan's branch is not what the candidate was built on, BranchTaken, and as Sources do.
  absl::StatusOr<Merged> Land(const Plan& plan, const Candidate& candidate,
                              const std::string& approver);

 private:
  struct Job;

  // Where it landed and what to tell.
  struct Landing {
    std::string state;
    std::string branch;
    std::string detail;
  };
  absl::StatusOr<Landing> Keep(Job& job);
  absl::StatusOr<Landing> PushBranches(Job& job);
  absl::StatusOr<Landing> MoveTarget(Job& job);
  absl::Status CheckUnmoved(Job& job, bool& landed);

  const Workshop& workshop_;
};

}  // namespace slipway::reviewer
