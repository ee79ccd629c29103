#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/clock.h"
#include "lib/git/commit.h"
#include "lib/git/oid.h"
#include "lib/git/overlay.h"
#include "lib/git/repository.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/domain/merge_queue.h"
#include "services/reviewer/domain/names.h"
#include "services/reviewer/domain/review_store.h"
#include "services/reviewer/flow/queue_desk.h"
#include "services/reviewer/mirror/mirrors.h"
#include "services/reviewer/mirror/sources.h"

namespace slipway::reviewer {

// What the steps of a review work with. All must outlive the steps.
struct Workshop {
  ReviewStore& store;
  Mirrors& mirrors;
  const Sources& sources;
  base::Clock& clock;
  // Author and committer of every commit.
  std::string committer_name = "Slipway";
  std::string committer_email = "slipway@localhost";
  // Programs that validators may run; "*" allows every one.
  std::vector<std::string> validator_programs;
  QueueSettings queue = {};
  // How often validators that failed run on the same tree again.
  int flaky_reruns_max = 1;
  std::shared_ptr<QueueDesk> desk = std::make_shared<QueueDesk>();
};

// The plan, or PlanUnknown.
absl::StatusOr<Plan> RequirePlan(ReviewStore& store, const std::string& name);

// The candidate, or CandidateUnknown.
absl::StatusOr<Candidate> RequireCandidate(ReviewStore& store, const std::string& name);

// The commit that `hex` names, or OidInvalid or CommitUnknown.
absl::StatusOr<git::Commit> RequireCommit(const git::ObjectSource& source, absl::string_view hex);

// Puts a commit of ours into the overlay.
absl::StatusOr<git::Oid> PutCommit(const Workshop& workshop, git::Overlay& overlay,
                                   const git::Oid& tree, std::vector<git::Oid> parents,
                                   std::string message);

// What the commit of an accepted change says, wherever it is put: `validator_digest` is that of the
// plan's validators, empty when there are none.
std::string ChangeMessage(const Inspection& change, const std::string& validator_digest);

// Deletes the refs of a task's candidates, or of all of a plan when `task` is empty. What they kept
// may go when nothing else holds it.
absl::Status PruneCandidates(const Workshop& workshop, const std::string& plan,
                             const std::string& task);

// Publishes what the overlay holds, durably, and points `ref`, wherever it is, to `commit`, which
// keeps the objects from garbage collection: what the commit is for is told by the store.
absl::Status Publish(git::Repository& repository, git::Overlay& overlay, const std::string& ref,
                     const git::Oid& commit);

}  // namespace slipway::reviewer
