#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/reviewer/flow/candidate_builder.h"
#include "services/reviewer/flow/workshop.h"

namespace slipway::reviewer {

// Builds what the merge of a plan's branch into the present target would give. Blocks;
// thread-safe.
class IntegrationBuilder final {
 public:
  explicit IntegrationBuilder(const Workshop& workshop) : workshop_(workshop) {}

  // A merge commit of the freshly fetched target and the plan's branch; of the plan's base in place
  // of the target when nothing is to leave the mirror. When the target holds the plan already, what
  // landed. Fails with PlanUnknown, NAME_INVALID and as Sources do.
  absl::StatusOr<BuildOutcome> Build(const std::string& plan_name);

 private:
  struct Job;

  absl::StatusOr<git::Oid> Target(const Plan& plan, const Names& names, git::Repository& mirror);
  absl::StatusOr<BuildOutcome> Merge(Job& job);
  absl::StatusOr<Candidate> Finish(Job& job, const git::Oid& tree);

  const Workshop& workshop_;
};

}  // namespace slipway::reviewer
