#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/domain/merge_queue.h"
#include "services/reviewer/flow/candidate_builder.h"
#include "services/reviewer/flow/workshop.h"

namespace slipway::reviewer {

// The merge queue of a plan as it is at this moment: the tip, the candidates and the evidence that
// are stored, in the order that the dispatcher gives. Holds no truth of its own. Blocks; one for
// each request.
class LandingQueue final : public QueueFacts {
 public:
  // What happens to a change now.
  struct Answer {
    BuildOutcome outcome;
    bool proven = false;  // A passing tree covers the candidate.
  };

  // `order` has the attempts under review as they are to land; what landed or was never accepted is
  // left out of it. Fails with PlanUnknown.
  static absl::StatusOr<LandingQueue> Open(const Workshop& workshop, const std::string& plan,
                                           const std::vector<std::string>& order);

  // Builds what is to be built, for whichever change, and answers for `attempt`, which is last in
  // the order unless it has a place. Fails with ChangeUnknown, PlanUnknown or NAME_INVALID.
  static absl::StatusOr<Answer> Ask(const Workshop& workshop, const std::string& attempt,
                                    const std::vector<std::string>& order);

  // The decisions as they are; `ready` is a candidate that counts as asked to land.
  absl::StatusOr<QueuePlan> Read(const std::string& ready = "");

  // What it measured itself by.
  const QueueMeasure& measure() const { return measure_; }
  const std::string& tip() const { return tip_; }

  absl::StatusOr<std::optional<QueueFact>> Find(const std::string& change,
                                                const std::string& base) override;

 private:
  LandingQueue(const Workshop& workshop, Plan plan) : workshop_(workshop), plan_(std::move(plan)) {}

  absl::StatusOr<QueuePlan> BuildAll();
  absl::Status Build(const std::vector<QueuePlace>& places);
  absl::StatusOr<Answer> AnswerFor(const QueuePlace& place);
  absl::StatusOr<Answer> Reject(const QueuePlace& place);
  absl::StatusOr<Answer> TellConflict(const QueuePlace& place);
  absl::StatusOr<Proof> ProofOf(const Inspection& change, const Candidate& candidate);

  const Workshop& workshop_;
  Plan plan_;
  std::string digest_;
  std::string tip_;
  std::string ready_;
  QueueMeasure measure_;
  std::vector<std::string> order_;
  std::map<std::string, Inspection> changes_;
};

}  // namespace slipway::reviewer
