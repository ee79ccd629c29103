#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "services/dispatcher/domain/board.h"
#include "services/dispatcher/domain/outbox.h"
#include "services/dispatcher/domain/retry_policy.h"
#include "services/dispatcher/domain/reviewer.h"
#include "services/dispatcher/domain/task_flow.h"

namespace slipway::dispatcher {

// Takes the changes of tasks from INSPECTING to MERGED by calling the reviewer. What to do next
// follows from the task alone, so after a restart the same step is simply taken again. At most one
// step of a task, and one merge of a plan, is under way. Used by the core's thread.
class ReviewFlow final {
 public:
  // Runs a command on the core's thread.
  using Post = std::function<void(absl::AnyInvocable<void()>)>;

  ReviewFlow(Board& board, TaskFlow& tasks, Outbox& outbox, Reviewer& reviewer, base::Clock& clock,
             Randomness random, Post post);

  // Starts every step whose turn it is. Costs as much as there are tasks that changed, or that wait
  // for a time, the end of a pause, or the merge before theirs.
  void Drive();

  size_t steps_under_way() const;

  // The steps, for explorations.
  std::string DescribeMemory() const;

 private:
  struct Step {
    TaskState state = TaskState::kInspecting;
    int64_t epoch = 0;
    uint64_t ticket = 0;  // Names one call: results of others are dropped.
    bool under_way = false;
    absl::Duration started;
    absl::Duration not_before;
    int failures = 0;     // In a row, for the backoff only.
    bool queued = false;  // It waits for others of its plan.
  };

  using Steps = absl::node_hash_map<TaskKey, Step>;

  // The changes of a plan that wait to land.
  struct Queue {
    std::set<std::pair<int64_t, TaskKey>> places;  // By their numbers.
    uint64_t last_ticket = 0;                      // When a landing was last told.
  };

  void Forget(Steps::iterator step);
  bool MayStart(const Task& task);
  void Consider(Task& task);
  // Considers, plan by plan, who is next to merge.
  void DriveLanes();
  void EndMerge(const std::string& plan);
  // What is under way for the task from now on.
  Step& Begin(const Task& task);
  void StartStep(Task& task);
  InspectStep InspectStepOf(const Task& task);
  void StartInspecting(const Task& task, uint64_t ticket);
  void StartValidating(const Task& task, uint64_t ticket, Step& step);

  template <typename T>
  Reviewer::Done<T> Then(const TaskKey& key, uint64_t ticket,
                         void (ReviewFlow::*handle)(Task&, const T&));
  template <typename T>
  void OnDone(const TaskKey& key, uint64_t ticket, const absl::StatusOr<T>& result,
              void (ReviewFlow::*handle)(Task&, const T&));

  // A change of a review in one call, and the name of its step.
  struct Reviewed {
    TaskKey key;
    uint64_t ticket = 0;
  };
  // Takes the changes of the lane that land at once, first `first`, in one call.
  void StartReview(const std::string& plan, Task& first);
  ReviewStep ReviewStepOf(const Task& task);
  void OnReviews(const std::string& plan, const std::vector<Reviewed>& changes,
                 const absl::StatusOr<ReviewOutcomes>& outcomes);
  void OnReview(Task& task, const ReviewOutcome& outcome);

  void OnInspection(Task& task, const Inspection& inspection);
  void OnCandidate(Task& task, const CandidateOutcome& outcome);
  void OnConflict(Task& task, const Conflict& conflict);
  void OnBuilt(Task& task, const Candidate& candidate);
  void OnQueued(Task& task, const std::string& detail);
  void RejectForValidators(Task& task, const std::string& feedback);
  void OnEvidence(Task& task, const EvidenceOutcome& outcome);
  void OnJudgement(Task& task, const Judgement& judgement);
  void OnMerged(Task& task, const Merged& merged);
  void OnFailure(Task& task, Step& step, const absl::Status& status);

  // The accepted changes of a plan that are under review, in the order of their turns.
  std::vector<AttemptKey> QueueOf(const std::string& plan);
  // Keeps the place of a task that has changed.
  void KeepQueue(const Task& task);
  // Whether a landing of the plan is under way, or was told of since the step of the task began.
  bool IsOvertaken(const TaskKey& key) const;
  // What waits for others of the plan asks again.
  void WakeQueue(const std::string& plan);

  void Judge(Task& task);
  void Rebuild(Task& task, const absl::Status& status);

  Board& board_;
  TaskFlow& tasks_;
  Outbox& outbox_;
  Reviewer& reviewer_;
  base::Clock& clock_;
  Randomness random_;
  Post post_;
  Steps steps_;
  std::set<TaskKey> waiting_;            // Under review, and the next step may have to be started.
  std::set<std::string> merging_;        // Plans with a merge under way.
  std::map<std::string, Queue> queues_;  // By plan.
  absl::flat_hash_map<TaskKey, int64_t> queue_numbers_;
  int64_t last_queue_number_ = 0;
  // What waits for the merge before it, by plan, as numbers in the queue and tasks; what lands at
  // once has none and goes first. Tasks that have
  // left the state are dropped when their turn comes.
  std::map<std::string, std::set<std::pair<int64_t, TaskKey>>> lanes_;
  std::set<std::string> free_lanes_;  // Plans whose lanes have changed, or were freed.
  uint64_t last_ticket_ = 0;
};

}  // namespace slipway::dispatcher
