#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/flow/workshop.h"

namespace slipway::reviewer {

struct RollbackRequest {
  std::string plan;
  std::string commit;  // 7 to 40 hexadecimal digits or "base"; or empty...
  std::string task;    // ...and a task, whose newest merge is the state.
  std::string reason;
  std::string actor;
};

// Takes plans' branches back to earlier states: a commit on the tip with the tree of the earlier
// state, by compare-and-swap. That tree landed once, so its evidence stands. Blocks; thread-safe.
//
// As with a merge, a promise is stored, the branch moves, the end is stored; Recover finishes or
// abandons promises by where the branch is.
class Rewinder final {
 public:
  explicit Rewinder(const Workshop& workshop) : workshop_(workshop) {}

  // What was done; `commit` is `from` when the branch was in that state. Fails with PlanUnknown,
  // NAME_INVALID, OidInvalid, CommitUnknown, TaskNotMerged, LandingUnderWay, PlanIntegrated or
  // BranchMoved.
  absl::StatusOr<Rollback> RollBack(const RollbackRequest& request);

  // Ends all promises. Call before anything else lands.
  absl::Status Recover();

 private:
  struct Branch;

  absl::StatusOr<Branch> ReadBranch(const Plan& plan, const git::Repository& mirror);
  absl::StatusOr<git::Oid> FindState(const RollbackRequest& request, const Plan& plan,
                                     const Branch& branch);
  absl::Status Move(git::Repository& mirror, const Rollback& rollback);

  const Workshop& workshop_;
};

}  // namespace slipway::reviewer
