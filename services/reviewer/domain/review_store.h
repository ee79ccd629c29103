#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/reviewer/domain/change.h"

namespace slipway::reviewer {

// What the reviewer remembers. Each write is one durable transaction together with the event it is
// announced by; all block on disk. Names that are not found are absent, not errors. Thread-safe.
class ReviewStore {
 public:
  virtual ~ReviewStore() = default;

  // The plan as stored: `plan` itself unless one of the name was there before.
  virtual absl::StatusOr<Plan> AddPlan(const Plan& plan) = 0;
  virtual absl::StatusOr<std::optional<Plan>> FindPlan(const std::string& name) = 0;
  // Gives a stored plan another policy, unless an inspection or a candidate of it is stored; the
  // plan as it is then.
  virtual absl::StatusOr<Plan> ReplacePolicy(const std::string& plan,
                                             const ProjectPolicy& policy) = 0;

  // Stores or replaces the inspection of an attempt, with its patch.
  virtual absl::Status PutInspection(const Inspection& inspection, const std::string& patch) = 0;
  virtual absl::StatusOr<std::optional<Inspection>> FindInspection(const std::string& attempt) = 0;
  virtual absl::StatusOr<std::optional<std::string>> FindPatch(const std::string& attempt) = 0;
  // Oldest first.
  virtual absl::StatusOr<std::vector<Inspection>> ListInspections(const std::string& task) = 0;

  // The candidate as stored: `candidate` itself unless one of the name was there before.
  virtual absl::StatusOr<Candidate> AddCandidate(const Candidate& candidate) = 0;
  virtual absl::StatusOr<std::optional<Candidate>> FindCandidate(const std::string& name) = 0;
  virtual absl::StatusOr<std::optional<Candidate>> NewestCandidate(const std::string& attempt) = 0;
  // Of a task's attempts, or of the plan's integration when `task` is empty.
  virtual absl::StatusOr<std::vector<std::string>> ListCandidates(const std::string& plan,
                                                                  const std::string& task) = 0;
  virtual absl::Status AnnounceConflict(const Candidate& tried,
                                        const std::vector<std::string>& paths) = 0;

  virtual absl::Status AddEvidence(const Candidate& candidate, const Evidence& evidence) = 0;
  // The newest one.
  virtual absl::StatusOr<std::optional<Evidence>> FindEvidence(
      const std::string& project, const std::string& tree, const std::string& validator_digest) = 0;

  // What failed on the tree after the change of `attempt` was inspected, oldest first; all of it
  // when the attempt has no inspection.
  virtual absl::StatusOr<std::vector<Evidence>> ListFailures(const std::string& project,
                                                             const std::string& tree,
                                                             const std::string& validator_digest,
                                                             const std::string& attempt) = 0;

  // Remembers that the candidate was judged and asked to land, and who approved it.
  virtual absl::Status AddReady(const std::string& candidate, const std::string& approver) = 0;
  // The approver of a candidate that is ready, which may be nobody.
  virtual absl::StatusOr<std::optional<std::string>> FindReady(const std::string& candidate) = 0;
  // Remembers that validators rejected the attempt for good. Once for each attempt.
  virtual absl::Status AddRejection(const std::string& plan, const std::string& attempt) = 0;
  // Whether each of the plan's last `limit` changes landed, or was rejected; oldest first.
  virtual absl::StatusOr<std::vector<bool>> ListOutcomes(const std::string& plan, int limit) = 0;

  // The verdict as stored: `verdict` itself unless the round had one before.
  virtual absl::StatusOr<GivenVerdict> AddVerdict(const Candidate& candidate,
                                                  const GivenVerdict& verdict) = 0;
  virtual absl::StatusOr<std::optional<GivenVerdict>> FindVerdict(const std::string& candidate,
                                                                  int round) = 0;
  virtual absl::StatusOr<std::optional<GivenVerdict>> NewestVerdict(
      const std::string& candidate) = 0;
  virtual absl::StatusOr<std::optional<GivenVerdict>> FindVerdictOfPrompt(
      const std::string& plan, const std::string& prompt_digest) = 0;

  // How often `step` of a candidate's judging was tried; counts this try. For ids of calls.
  virtual absl::StatusOr<int> CurrentTry(const std::string& call) = 0;
  virtual absl::Status EndTry(const std::string& call) = 0;

  // A candidate has at most one intent, which the merge or the abandonment ends.
  virtual absl::Status AddIntent(const LandIntent& intent) = 0;
  virtual absl::Status AbandonIntent(const std::string& candidate) = 0;
  virtual absl::StatusOr<std::vector<LandIntent>> ListIntents() = 0;

  // Marks the candidate as landed and ends its intent. The first mark stays.
  virtual absl::StatusOr<Merged> AddMerged(const Candidate& candidate, const Merged& merged) = 0;
  // The same for what landed by one move of the branch, all or none.
  virtual absl::Status AddLandings(const std::vector<LandedChange>& landings) = 0;
  virtual absl::StatusOr<std::optional<Merged>> FindMerged(const std::string& candidate) = 0;
  // What landed of an attempt, or as the integration of a plan.
  virtual absl::StatusOr<std::optional<Merged>> FindMergedOfAttempt(const std::string& attempt) = 0;
  virtual absl::StatusOr<std::optional<Merged>> FindMergedOfTask(const std::string& task) = 0;
  virtual absl::StatusOr<std::optional<Merged>> FindIntegration(const std::string& plan) = 0;

  // The promise to take a branch back, written before it moves; known by its commit.
  virtual absl::Status AddRollback(const Rollback& rollback) = 0;
  // The branch has moved: keeps the promise as history, and says so in the log. Once.
  virtual absl::Status EndRollback(const Rollback& rollback) = 0;
  virtual absl::Status AbandonRollback(const std::string& commit) = 0;
  // Promises whose end is not known.
  virtual absl::StatusOr<std::vector<Rollback>> ListOpenRollbacks() = 0;

  // Says in the log what became of an integration.
  virtual absl::Status AnnounceIntegration(const Candidate& candidate, const std::string& state,
                                           const std::string& target,
                                           const std::string& detail) = 0;
};

}  // namespace slipway::reviewer
