// Whose turn it is: the rest of GrantFlow.
#include <algorithm>
#include <set>
#include <utility>

#include "lib/metrics/metrics.h"
#include "services/dispatcher/domain/grant_flow.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/domain/plan_graph.h"

namespace slipway::dispatcher {
namespace {

using enum TaskState;

// Projects whose names are labels of metrics, by name: whoever creates more reads their sum.
constexpr size_t kProjectLabelsMax = 100;
constexpr int kManyTurns = 100;
constexpr char kOtherProjects[] = "others";

metrics::Histogram grant_wait_seconds(
    {.name = "slipway_dispatcher_grant_wait_seconds",
     .description = "From when a task was first ready to a grant of it.",
     .labels = {"kind"}},
    {0.01, 0.1, 1, 10, 60, 600, 3'600, 36'000});
metrics::Gauge queue_age_seconds({.name = "slipway_dispatcher_queue_age_seconds",
                                  .description = "How long the first of a project's tasks that "
                                                 "wait for an agent has been ready.",
                                  .labels = {"project"}});
metrics::Gauge waiting_tasks({.name = "slipway_dispatcher_waiting_tasks",
                              .description = "Tasks that wait for an agent, by reason.",
                              .labels = {"reason"}});
metrics::Gauge project_slot_seconds({.name = "slipway_dispatcher_project_slot_seconds",
                                     .description = "Time that agents worked for a project, ever.",
                                     .labels = {"project"}});
metrics::Gauge project_cost_usd({.name = "slipway_dispatcher_project_cost_usd",
                                 .description = "What calls for a project cost, ever, as far as "
                                                "the ledger told.",
                                 .labels = {"project"}});
metrics::Gauge project_virtual_seconds(
    {.name = "slipway_dispatcher_project_virtual_seconds",
     .description = "What a project used by its weight: the least is next.",
     .labels = {"project"}});

bool IsUnderReview(const Task& task) {
  return !task.is_integration() && (task.state == kInspecting || task.state == kValidating ||
                                    task.state == kJudging || task.state == kMerging);
}

}  // namespace

absl::string_view Name(WaitReason reason) {
  switch (reason) {
    case WaitReason::kAgent:
      return "AGENT";
    case WaitReason::kProjectLimit:
      return "PROJECT_LIMIT";
    case WaitReason::kPlanLimit:
      return "PLAN_LIMIT";
    case WaitReason::kCredentialLimit:
      return "CREDENTIAL_LIMIT";
    case WaitReason::kMergeLane:
      return "MERGE_LANE";
    case WaitReason::kPathOverlap:
      return "PATH_OVERLAP";
  }
  return "AGENT";
}

void GrantFlow::ForgetPaths(const std::string& plan) {
  paths_.erase(plan);
  board_.Stir(plan);
}

absl::Duration GrantFlow::RemainingPath(const TaskKey& key) {
  auto& paths = paths_[key.plan];
  if (paths.empty()) {
    std::vector<TaskSpec> specs;
    for (const Task* const task : board_.TasksOf(key.plan)) specs.push_back(task->spec);
    paths = LongestRemainingPaths(specs);
  }
  return paths[key.id];
}

bool GrantFlow::CouldBeGranted(const Task& task) {
  if (task.state != kReady && task.state != kValidating) return false;
  if (IsEnd(board_.RunOf(task.key).state) || board_.IsPaused(task.key)) return false;
  if (board_.LiveAttempt(task) != nullptr) return false;
  if (task.state == kReady) return true;
  const Attempt* const attempt = board_.FindAttempt(task.attempt());
  const bool reported = attempt != nullptr && attempt->kind == GrantKind::kValidate &&
                        attempt->state == AttemptState::kReported;
  if (reported) return false;
  if (IsDue(task)) return true;
  delayed_.insert(task.key);
  return false;
}

// Makes the schedule say of a task what the board says. What begins is told before what ends, so
// that a project that goes on with a task is never without any.
void GrantFlow::Look(const Task& task, absl::Duration now) {
  const TaskKey& key = task.key;
  const Attempt* const live = board_.LiveAttempt(task);
  const bool writes = live != nullptr && live->kind == GrantKind::kWork;
  const bool has_change = writes || IsUnderReview(task);
  if (has_change) schedule_.BeginChange(key, FootprintOf(task.spec.allowed_paths));
  if (live != nullptr) {
    // Also what it took before a restart.
    const absl::Duration before = std::clamp(clock_.Now() - live->start_time, absl::ZeroDuration(),
                                             TimeoutOf(task, live->kind));
    schedule_.Begin({.attempt = live->key,
                     .validates = !writes,
                     .role = task.spec.role,
                     .host = live->host,
                     .start = now - before});
  }
  if (CouldBeGranted(task)) {
    schedule_.Offer({.key = key,
                     .validates = task.state == kValidating,
                     .priority = task.spec.priority,
                     .ready_time = task.ready_time.value_or(absl::UnixEpoch()),
                     .remaining_path = RemainingPath(key),
                     .role = task.spec.role,
                     .footprint = FootprintOf(task.spec.allowed_paths)});
  } else {
    schedule_.Withdraw(key);
  }
  if (live == nullptr) schedule_.End(key, now);
  if (!has_change) schedule_.EndChange(key);
}

void GrantFlow::Sync(absl::Duration now) {
  for (const std::string& plan : board_.TakeStirredRuns()) {
    const Run* const run = board_.FindRun(plan);
    if (run != nullptr && !IsEnd(run->state)) {
      schedule_.AddRun(plan, run->start_time, run->policy.parallel_max);
    } else {
      schedule_.RemoveRun(plan);
      paths_.erase(plan);
    }
  }
  for (const Task* const task : board_.TakeStirred()) Look(*task, now);
  for (const TaskKey& key : std::exchange(delayed_, {})) {
    if (const Task* const task = board_.FindTask(key); task != nullptr) Look(*task, now);
  }
}

int GrantFlow::Schedule() {
  const absl::Duration now = clock_.Elapsed();
  Sync(now);
  const auto attempts_on = [this](const std::string& host) { return schedule_.OnHost(host); };
  int granted = 0;
  for (; schedule_.is_waiting(); ++granted) {
    Agent* const agent = roster_.FindIdle(attempts_on);
    if (agent == nullptr) break;
    const std::optional<TaskKey> next = schedule_.Next(now);
    if (!next.has_value()) break;
    Task& task = *board_.FindTask(*next);
    const absl::Duration waited = clock_.Now() - task.ready_time.value_or(clock_.Now());
    grant_wait_seconds.Observe({task.state == kValidating ? "VALIDATE" : "WORK"},
                               std::max(0.0, absl::ToDoubleSeconds(waited)));
    Grant(task, *agent);
    Sync(now);
  }
  CountUnserved(granted, now);
  notes_.Apply(schedule_.TakeWaitChanges());
  if (std::vector<ProjectUsage> usage = schedule_.shares().TakeChanged(); !usage.empty()) {
    board_.StoreUsage(std::move(usage));
  }
  return unserved_;
}

// Counting costs as many turns as are counted, and whoever starts agents looks ahead by seconds: it
// is done once in a tick, and once in ten when there are many, all of whom are not started in less.
// Between, each grant is one less.
void GrantFlow::CountUnserved(int granted, absl::Duration now) {
  const int limit = schedule_.is_waiting() ? roster_.Startable(now) : 0;
  if (limit > 0 && now < next_count_) {
    unserved_ = std::clamp(unserved_ - granted, 0, limit);
    return;
  }
  unserved_ = schedule_.CountTurns(limit, now);
  next_count_ = now + (unserved_ < kManyTurns ? 1 : 10) * kTickInterval;
}

void GrantFlow::RestoreUsage(const std::vector<ProjectUsage>& usage) {
  schedule_.shares().Restore(usage);
}

void GrantFlow::AddCosts(const std::map<std::string, int64_t>& cost_usd_nanos) {
  for (const auto& [project, cost] : cost_usd_nanos) schedule_.AddCost(project, cost);
}

void GrantFlow::MeasureShares() {
  schedule_.Accrue(clock_.Elapsed());
  struct Sums {
    absl::Duration age;
    ProjectUsage usage;
  };
  std::map<std::string, Sums> sums;
  const auto of = [&sums](const std::string& project) -> Sums& {
    const bool fits = sums.count(project) > 0 || sums.size() < kProjectLabelsMax;
    return sums[fits ? project : kOtherProjects];
  };
  for (const ProjectUsage& usage : schedule_.shares().Totals()) {
    Sums& sum = of(usage.project);
    sum.usage.slot_time += usage.slot_time;
    sum.usage.cost_usd_nanos += usage.cost_usd_nanos;
    sum.usage.virtual_time = std::max(sum.usage.virtual_time, usage.virtual_time);
  }
  for (const auto& [project, ready_time] : schedule_.OldestWaits()) {
    Sums& sum = of(project);
    sum.age = std::max(sum.age, clock_.Now() - ready_time);
  }
  for (const auto& [project, sum] : sums) {
    queue_age_seconds.Set({project}, absl::ToDoubleSeconds(sum.age));
    project_slot_seconds.Set({project}, absl::ToDoubleSeconds(sum.usage.slot_time));
    project_cost_usd.Set({project}, static_cast<double>(sum.usage.cost_usd_nanos) / 1e9);
    project_virtual_seconds.Set({project}, absl::ToDoubleSeconds(sum.usage.virtual_time));
  }
  const std::map<WaitReason, int> counts = notes_.Count();
  for (int i = 0; i < kWaitReasons; ++i) {
    const auto reason = static_cast<WaitReason>(i);
    const auto found = counts.find(reason);
    waiting_tasks.Set({Name(reason)}, found == counts.end() ? 0 : found->second);
  }
}

}  // namespace slipway::dispatcher
