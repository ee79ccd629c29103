// Who waits for others of its plan: the rest of ReviewFlow.
#include <algorithm>
#include <utility>

#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/domain/review_flow.h"

namespace slipway::dispatcher {
namespace {

using enum TaskState;

// Whether its change waits to land. What was under review before there were queues is in none, and
// lands as if alone.
bool IsQueued(const Task& task) {
  const bool is_under_review = task.state == kInspecting || task.state == kValidating ||
                               task.state == kJudging || task.state == kMerging;
  return is_under_review && task.progress.inspected && task.progress.queue_number > 0;
}

}  // namespace

void ReviewFlow::DriveLanes() {
  for (const std::string& plan : std::exchange(free_lanes_, {})) {
    const auto lane = lanes_.find(plan);
    while (lane != lanes_.end() && !lane->second.empty() && merging_.count(plan) == 0) {
      const TaskKey key = lane->second.begin()->second;
      lane->second.erase(lane->second.begin());
      Task* const task = board_.FindTask(key);
      if (task == nullptr || (task->state != kMerging && !task->lands_at_once())) continue;
      const auto step = steps_.find(key);
      if (step != steps_.end() && step->second.under_way) continue;
      if (IsEnd(board_.RunOf(key).state)) continue;
      if (!MayStart(*task)) {
        waiting_.insert(key);
      } else if (task->state == kMerging) {
        StartStep(*task);
      } else {
        StartReview(plan, *task);
      }
    }
    if (lane != lanes_.end() && lane->second.empty()) lanes_.erase(lane);
  }
}

void ReviewFlow::EndMerge(const std::string& plan) {
  merging_.erase(plan);
  free_lanes_.insert(plan);
}

void ReviewFlow::StartReview(const std::string& plan, Task& first) {
  std::vector<ReviewStep> steps;
  std::vector<Reviewed> changes;
  std::set<std::pair<int64_t, TaskKey>>& lane = lanes_.at(plan);
  for (Task* task = &first; task != nullptr;) {
    waiting_.erase(task->key);
    steps.push_back(ReviewStepOf(*task));
    changes.push_back({.key = task->key, .ticket = Begin(*task).ticket});
    if (steps.size() >= kReviewedTogetherMax || lane.empty()) break;
    task = board_.FindTask(lane.begin()->second);
    const bool together = task != nullptr && task->lands_at_once() && MayStart(*task);
    if (together) lane.erase(lane.begin());
    if (!together || steps_[task->key].under_way) break;
  }
  merging_.insert(plan);
  outbox_.Add([this, plan, steps = std::move(steps), changes = std::move(changes)]() mutable {
    reviewer_.Review(std::move(steps), [this, plan, changes = std::move(changes)](
                                           absl::StatusOr<ReviewOutcomes> outcomes) mutable {
      post_([this, plan, changes = std::move(changes), outcomes = std::move(outcomes)] {
        OnReviews(plan, changes, outcomes);
      });
    });
  });
}

ReviewStep ReviewFlow::ReviewStepOf(const Task& task) {
  return {.inspection = InspectStepOf(task),
          .judge = {.title = task.spec.title,
                    .description = task.spec.description,
                    .acceptance = task.spec.acceptance,
                    .critical = task.spec.critical,
                    .round = task.progress.judge_round + 1}};
}

std::vector<AttemptKey> ReviewFlow::QueueOf(const std::string& plan) {
  std::vector<AttemptKey> queue;
  const auto found = queues_.find(plan);
  if (found == queues_.end()) return queue;
  for (const auto& [number, key] : found->second.places) {
    if (queue.size() >= kMergeQueueMax) break;
    const Task* const task = board_.FindTask(key);
    // Who waits for a person holds up nobody.
    if (task == nullptr || !IsQueued(*task) || board_.IsPaused(key)) continue;
    queue.push_back({.task = key, .epoch = task->progress.work_epoch});
  }
  return queue;
}

void ReviewFlow::KeepQueue(const Task& task) {
  const TaskKey& key = task.key;
  const int64_t number = IsQueued(task) ? task.progress.queue_number : 0;
  last_queue_number_ = std::max(last_queue_number_, number);
  const auto known = queue_numbers_.find(key);
  const int64_t before = known == queue_numbers_.end() ? 0 : known->second;
  if (before == number) return;
  std::set<std::pair<int64_t, TaskKey>>& places = queues_[key.plan].places;
  places.erase({before, key});
  queue_numbers_.erase(key);
  if (number > 0) {
    places.emplace(number, key);
    queue_numbers_[key] = number;
  }
  if (places.empty()) queues_.erase(key.plan);
}

// Of two answers that were under way at once, the one that came last may tell of the older tip;
// work that begins there would lack what the other one unblocked.
bool ReviewFlow::IsOvertaken(const TaskKey& key) const {
  const auto queue = queues_.find(key.plan);
  const auto step = steps_.find(key);
  if (queue == queues_.end() || step == steps_.end()) return false;
  return merging_.count(key.plan) > 0 || step->second.ticket <= queue->second.last_ticket;
}

void ReviewFlow::WakeQueue(const std::string& plan) {
  const auto found = queues_.find(plan);
  if (found == queues_.end()) return;
  size_t woken = 0;
  for (const auto& [number, key] : found->second.places) {
    if (woken++ >= kQueueWokenMax) break;
    const auto step = steps_.find(key);
    if (step != steps_.end() && step->second.queued) {
      step->second.not_before = absl::ZeroDuration();
    }
  }
}

}  // namespace slipway::dispatcher
