#include "services/dispatcher/domain/plan_graph.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

using TasksById = std::map<std::string, const TaskSpec*>;

absl::Status CheckTask(const TaskSpec& task) {
  if (!base::IsValidId(task.id)) {
    return TaskInvalid(task.id, "its id must be 1 to 63 of [a-z0-9-]");
  }
  if (task.id == kIntegrationId) {
    return TaskInvalid(task.id, "this id is kept for the integration of the plan");
  }
  if (task.title.empty()) return TaskInvalid(task.id, "it has no title");
  if (task.role.empty()) return TaskInvalid(task.id, "it has no role");
  if (task.priority < 0 || task.priority > 9) {
    return TaskInvalid(task.id, "its priority is not within 0 to 9");
  }
  if (task.limit_usd_nanos < 0) return TaskInvalid(task.id, "its limit is negative");
  if (task.attempt_timeout < absl::ZeroDuration() || task.attempt_timeout > kAttemptTimeoutMax) {
    return TaskInvalid(task.id, "its attempt_timeout is not within 0 to 23 hours");
  }
  if (task.title.size() + task.description.size() > kTaskTextBytesMax) {
    return TaskInvalid(task.id, absl::StrCat("its text exceeds ", kTaskTextBytesMax, " bytes"));
  }
  for (const auto* list :
       {&task.depends_on, &task.allowed_paths, &task.context_paths, &task.acceptance}) {
    if (list->size() > kTaskListMax) {
      return TaskInvalid(task.id, absl::StrCat("a list has more than ", kTaskListMax, " entries"));
    }
  }
  return absl::OkStatus();
}

// Tasks in an order in which each comes after those that it depends on; the rest is on cycles.
std::vector<std::string> Ordered(const TasksById& tasks) {
  std::map<std::string, size_t> open;
  std::map<std::string, std::vector<std::string>> waiting;
  std::vector<std::string> ordered;
  for (const auto& [id, task] : tasks) {
    const std::set<std::string> distinct(task->depends_on.begin(), task->depends_on.end());
    open[id] = distinct.size();
    for (const std::string& dependency : distinct) waiting[dependency].push_back(id);
    if (distinct.empty()) ordered.push_back(id);
  }
  for (size_t next = 0; next < ordered.size(); ++next) {
    for (const std::string& dependent : waiting[ordered[next]]) {
      if (--open[dependent] == 0) ordered.push_back(dependent);
    }
  }
  return ordered;
}

// A task that was not ordered waits for another such: following them ends in a circle.
std::string NameCycle(const TasksById& tasks, const std::vector<std::string>& ordered) {
  const std::set<std::string> sound(ordered.begin(), ordered.end());
  std::vector<std::string> path;
  std::string at;
  for (const auto& [id, task] : tasks) {
    if (sound.count(id) == 0) at = id;
  }
  while (std::find(path.begin(), path.end(), at) == path.end()) {
    path.push_back(at);
    for (const std::string& dependency : tasks.at(at)->depends_on) {
      if (sound.count(dependency) == 0) at = dependency;
    }
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), at));
  path.push_back(at);
  return absl::StrJoin(path, " -> ");
}

}  // namespace

absl::Status CheckPlan(const PlanSpec& spec) {
  if (spec.tasks.empty()) return PlanEmpty();
  if (spec.tasks.size() > kTasksMax) {
    return TaskInvalid(spec.tasks.back().id,
                       absl::StrCat("a plan has at most ", kTasksMax, " tasks"));
  }
  TasksById tasks;
  for (const TaskSpec& task : spec.tasks) {
    RETURN_IF_ERROR(CheckTask(task));
    if (!tasks.emplace(task.id, &task).second) return TaskDuplicate(task.id);
  }
  for (const TaskSpec& task : spec.tasks) {
    for (const std::string& dependency : task.depends_on) {
      if (tasks.count(dependency) == 0) return DependencyUnknown(task.id, dependency);
    }
  }
  const std::vector<std::string> ordered = Ordered(tasks);
  if (ordered.size() != tasks.size()) return PlanCycle(NameCycle(tasks, ordered));
  return absl::OkStatus();
}

std::map<std::string, absl::Duration> LongestRemainingPaths(const std::vector<TaskSpec>& tasks) {
  TasksById by_id;
  for (const TaskSpec& task : tasks) by_id.emplace(task.id, &task);
  std::vector<std::string> ordered = Ordered(by_id);
  std::map<std::string, absl::Duration> after;  // Longest chain of dependents, without the task.
  std::map<std::string, absl::Duration> paths;
  std::reverse(ordered.begin(), ordered.end());
  for (const std::string& id : ordered) {
    const TaskSpec& task = *by_id.at(id);
    const bool estimated = task.estimate > absl::ZeroDuration();
    paths[id] = after[id] + (estimated ? task.estimate : absl::Minutes(1));
    for (const std::string& dependency : task.depends_on) {
      after[dependency] = std::max(after[dependency], paths[id]);
    }
  }
  return paths;
}

}  // namespace slipway::dispatcher
