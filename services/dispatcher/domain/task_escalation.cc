// Failures that trying again would not mend: the rest of TaskFlow.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/dispatcher/domain/failure_fingerprint.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/domain/task_flow.h"

namespace slipway::dispatcher {
namespace {

using enum TaskState;

metrics::Counter repeated_failures({.name = "slipway_dispatcher_repeated_failures_total",
                                    .description = "Failures that are not tried again.",
                                    .labels = {"reason"}});

// A question names no more tasks.
constexpr size_t kNamedTasksMax = 10;

constexpr char kChoice[] = "Retry with guidance, edit it, skip it, or fail the plan?";

}  // namespace

void TaskFlow::NoteFailure(Task& task, const Fault& fault) {
  // What the agent did not do itself may well happen twice.
  if (fault.retry_class != RetryClass::kAgent) return;
  Progress& progress = task.progress;
  task.failure =
      FingerprintOf(fault.reason, fault.feedback.empty() ? fault.detail : fault.feedback);
  progress.same_failures = task.failure == progress.fingerprint ? progress.same_failures + 1 : 1;
  progress.fingerprint = task.failure;
}

bool TaskFlow::AskForSameFailure(Task& task, const Fault& fault) {
  if (task.failure.empty() || task.progress.same_failures < settings_.same_failures_max) {
    return false;
  }
  repeated_failures.Increment({"SAME_FAILURE"});
  Ask(task, "SAME_FAILURE",
      absl::StrCat("Task \"", task.spec.title, "\" failed ", task.progress.same_failures,
                   " times in a row in the same way: ", fault.detail,
                   ". Trying once more would tell the agent nothing new. ", kChoice),
      /*accept=*/false, TaskCommand::kEscalate);
  return true;
}

bool TaskFlow::AskForPattern(Task& task, const Fault& fault) {
  const std::string plan = task.key.plan;
  if (task.failure.empty() || board_.pauses().count(plan) > 0) return false;
  std::vector<std::string> tasks;
  for (const Task* const other : board_.TasksOf(plan)) {
    const bool same = other->progress.fingerprint == task.failure;
    if (same && !IsEnd(other->state)) tasks.push_back(other->key.id);
  }
  if (tasks.size() < static_cast<size_t>(kPatternTasks)) return false;
  const size_t count = tasks.size();
  if (count > kNamedTasksMax) tasks.resize(kNamedTasksMax);
  repeated_failures.Increment({kPatternReason});
  log::Warning("a failure repeats over tasks: their plan pauses",
               {{"plan", plan}, {"tasks", count}, {"detail", fault.detail}});
  board_.SetPause({.scope = plan,
                   .reason = absl::StrCat("the same failure in ", count, " tasks: ", fault.detail),
                   .actor = kPatternActor,
                   .time = clock_.Now()});
  Ask(task, kPatternReason,
      absl::StrCat(count, " tasks of the plan failed in the same way (", absl::StrJoin(tasks, ", "),
                   "): ", fault.detail,
                   ". The plan is paused, so that no more is spent on it; any answer lets it go "
                   "on. For this task: ",
                   kChoice),
      /*accept=*/false, TaskCommand::kEscalate);
  return true;
}

void TaskFlow::EndAnsweredPatterns() {
  std::vector<std::string> answered;
  for (const auto& [scope, pause] : board_.pauses()) {
    if (pause.actor == kPatternActor) answered.push_back(scope);
  }
  if (answered.empty()) return;
  for (const Task* const task : board_.TasksIn(kNeedsHuman)) {
    if (task->reason == kPatternReason) std::erase(answered, task->key.plan);
  }
  for (const std::string& plan : answered) board_.EndPause(plan, kPatternActor);
}

bool TaskFlow::IsPoison(const Task& task) const {
  const std::vector<std::string>& deaths = task.progress.deaths;
  const std::set<std::string> hosts(deaths.begin(), deaths.end());
  return static_cast<int>(deaths.size()) >= settings_.poison_deaths_max ||
         static_cast<int>(hosts.size()) >= settings_.poison_hosts_max;
}

bool TaskFlow::NoteDeath(Task& task, const std::string& host) {
  std::vector<std::string>& deaths = task.progress.deaths;
  deaths.push_back(host);
  board_.Touch(task);
  if (!IsPoison(task)) return false;
  repeated_failures.Increment({"POISON"});
  const std::string hosts = absl::StrJoin(deaths, ", ");
  log::Warning("a task that agents die of is given to no other",
               {{"task", task.key.Name()}, {"hosts", hosts}});
  if (task.state == kRunning) ClearReview(task);
  Ask(task, "POISON",
      absl::StrCat(deaths.size(), " agents in a row died at work on task \"", task.spec.title,
                   "\" (on ", hosts,
                   ") while others there lived: it is given to no other. The logs of its attempts "
                   "tell how far they came. ",
                   kChoice),
      /*accept=*/false, TaskCommand::kQuarantine);
  return true;
}

void TaskFlow::NoteSurvived(Task& task) {
  if (task.progress.deaths.empty()) return;
  task.progress.deaths.clear();
  board_.Touch(task);
}

void TaskFlow::Exonerate(const TaskKey& key, const std::string& host) {
  Task* const task = board_.FindTask(key);
  if (task == nullptr) return;
  std::vector<std::string>& deaths = task->progress.deaths;
  const auto found = std::find(deaths.begin(), deaths.end(), host);
  if (found == deaths.end()) return;
  deaths.erase(found);
  board_.Touch(*task);
}

}  // namespace slipway::dispatcher
