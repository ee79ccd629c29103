#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/flow/workshop.h"

namespace slipway::reviewer {

// Opens plans: fetches their target branch and makes their own. Blocks; thread-safe.
class PlanOpener final {
 public:
  explicit PlanOpener(const Workshop& workshop) : workshop_(workshop) {}

  // The open plan. An empty base commit means the tip of the target branch. Idempotent by plan, and
  // another policy replaces the first one until a change of the plan is inspected. Fails with
  // PlanOpen when it is open with other settings, with the errors of Sources, and with
  // CommitUnknown, OidInvalid, BranchInvalid, NAME_INVALID or as CheckPolicy.
  absl::StatusOr<Plan> Open(Plan wanted);

  // PolicyInvalid or ValidatorNotAllowed.
  absl::Status CheckPolicy(const ProjectPolicy& policy) const;
  absl::StatusOr<Plan> Reopen(const Plan& earlier, const Plan& wanted);

 private:
  const Workshop& workshop_;
};

}  // namespace slipway::reviewer
