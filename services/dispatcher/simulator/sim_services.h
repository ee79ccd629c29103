#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "services/dispatcher/domain/models.h"
#include "services/dispatcher/domain/reviewer.h"
#include "services/dispatcher/simulator/world.h"

namespace slipway::dispatcher::simulator {

// A call over the network: the request or the answer may be lost, the request may arrive twice,
// and it may arrive when the dispatcher that sent it is gone.
template <typename Result, typename Done>
void CallService(World& world, Done done, std::function<Result()> apply, Result unavailable) {
  const auto shared = std::make_shared<Done>(std::move(done));
  const int64_t incarnation = world.incarnation;
  if (world.nobody_hears) return;
  const std::optional<FailpointFault> fault = world.Pass(Boundary::kCall);
  const bool request_lost = world.Chance(4) || fault == FailpointFault::kError;
  const bool answer_lost = world.Chance(4) || fault == FailpointFault::kToldFailed;
  const absl::Duration late =
      fault == FailpointFault::kDelay ? kFailpointDelay : absl::ZeroDuration();
  const bool twice = world.Chance(4);
  World* const to = &world;
  world.At(world.clock.true_elapsed() + world.AnyDelay(), [=] {
    std::optional<Result> result;
    if (!request_lost) result = apply();
    if (!request_lost && twice) result = apply();
    if (request_lost) to->Count("requests lost");
    if (answer_lost && !request_lost) to->Count("applied but told failed");
    to->At(to->clock.true_elapsed() + to->AnyDelay() + late, [=] {
      if (to->incarnation != incarnation || to->dispatcher == nullptr) return;
      std::move (*shared)(answer_lost || request_lost ? unavailable : *result);
    });
  });
}

// A reviewer with a branch per plan, which survives crashes of the dispatcher. Refuses, conflicts
// and moves as the seed decides; a merge lands once, however often it is asked for.
class SimReviewer final : public Reviewer {
 public:
  explicit SimReviewer(World& world)
      : world_(world), refusals_percent_(world.random.OneIn(8) ? 70 : 12) {}

  void Inspect(const InspectStep& step, Done<Inspection> done) override;
  void CreateCandidate(const CandidateStep& step, Done<CandidateOutcome> done) override;
  void RecordEvidence(const EvidenceStep& step, Done<EvidenceOutcome> done) override;
  void Judge(const JudgeStep& step, Done<Judgement> done) override;
  void Diagnose(const DiagnosisStep& step, Done<Diagnosis> done) override;
  void Merge(const MergeStep& step, Done<Merged> done) override;
  void Review(std::vector<ReviewStep> steps, Done<ReviewOutcomes> done) override;

  struct Landing {
    AttemptKey attempt;
    std::string commit;
    int number = 0;             // Of the commit on its branch, from 1.
    bool with_another = false;  // Before anybody asked for it at that moment.
  };
  const std::map<TaskKey, Landing>& landings() const { return landings_; }

  // Whether the commit of its plan's branch has the task's change.
  bool Holds(const std::string& commit, const TaskKey& landed) const;

 private:
  struct Built {
    AttemptKey attempt;
    std::string plan;  // Of an integration.
    int base = 0;      // The tip that it was built on.
    std::optional<bool> evidence;
    bool judged = false;
  };

  absl::StatusOr<Inspection> InspectNow(const InspectStep& step);
  absl::StatusOr<CandidateOutcome> BuildNow(const CandidateStep& step);
  absl::StatusOr<EvidenceOutcome> RecordNow(const std::string& candidate,
                                            const EvidenceResult& evidence);
  absl::StatusOr<Judgement> JudgeNow(const JudgeStep& step);
  absl::StatusOr<Diagnosis> DiagnoseNow(const DiagnosisStep& step);
  absl::StatusOr<Merged> MergeNow(const MergeStep& step);
  void CheckStored(const AttemptKey& attempt);
  absl::StatusOr<ReviewOutcome> ReviewNow(const ReviewStep& step);
  // The commit that the change of the attempt is on its branch.
  std::string Land(const AttemptKey& attempt, bool with_another);
  static std::string CommitOf(int number, const std::string& plan);
  Merged MergedAt(const std::string& commit, const std::string& plan);

  World& world_;
  const uint64_t refusals_percent_;  // In some histories most patches break the same rule.
  std::map<std::string, Built> candidates_;
  std::map<std::string, int> tips_;  // By plan.
  std::map<TaskKey, Landing> landings_;
  std::set<AttemptKey> ready_;                       // They asked to land before their turn.
  std::map<std::string, std::string> integrations_;  // Commits, by plan.
};

// Keys for models.
class SimModels final : public Models {
 public:
  explicit SimModels(World& world) : world_(world) {}

  void IssueKey(const KeyRequest& request,
                absl::AnyInvocable<void(absl::StatusOr<IssuedKey>) &&> done) override;
  void RevokeKeys(const AttemptKey& attempt,
                  absl::AnyInvocable<void(absl::Status) &&> done) override;

  // Keys that were not revoked. One that was issued late, after its revocation, is known to nobody
  // and ends by its lifetime.
  const std::set<AttemptKey>& open() const { return open_; }

 private:
  World& world_;
  std::set<AttemptKey> open_;
  std::set<AttemptKey> revoked_;
};

}  // namespace slipway::dispatcher::simulator
