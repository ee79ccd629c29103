#include "services/planner/domain/plan_delta.h"

#include <map>

#include "absl/strings/string_view.h"
#include "services/planner/domain/plan_edit.h"

namespace slipway::planner {
namespace {

using TasksById = std::map<absl::string_view, const Task*>;

TasksById ById(const PlanContent& content) {
  TasksById tasks;
  for (const Task& task : content.tasks) tasks.emplace(task.id, &task);
  return tasks;
}

std::vector<std::string> ChangedFields(const Task& from, const Task& to) {
  std::vector<std::string> fields;
  const auto compare = [&fields](const char* name, const auto& before, const auto& after) {
    if (!(before == after)) fields.emplace_back(name);
  };
  compare("title", from.title, to.title);
  compare("description", from.description, to.description);
  compare("depends_on", from.depends_on, to.depends_on);
  compare("intent", from.intent, to.intent);
  compare("role", from.role, to.role);
  compare("allowed_paths", from.allowed_paths, to.allowed_paths);
  compare("context_paths", from.context_paths, to.context_paths);
  compare("acceptance", from.acceptance, to.acceptance);
  compare("priority", from.priority, to.priority);
  compare("critical", from.critical, to.critical);
  compare("limit_usd_nanos", from.limit_usd_nanos, to.limit_usd_nanos);
  compare("attempt_timeout", from.attempt_timeout, to.attempt_timeout);
  if (!fields.empty()) compare("estimate_duration", from.estimate_duration, to.estimate_duration);
  return fields;
}

}  // namespace

PlanDelta DeltaBetween(const PlanContent& from, const PlanContent& to) {
  const TasksById before = ById(from);
  const TasksById after = ById(to);
  PlanDelta delta;
  for (const Task& task : to.tasks) {
    const auto earlier = before.find(task.id);
    if (earlier == before.end()) {
      delta.added.push_back(task);
      continue;
    }
    std::vector<std::string> fields = ChangedFields(*earlier->second, task);
    if (!fields.empty()) delta.changed.push_back({.task = task, .fields = std::move(fields)});
  }
  for (const Task& task : from.tasks) {
    if (after.count(task.id) == 0) delta.removed.push_back(task.id);
  }
  return delta;
}

void KeepEstimates(const PlanContent& from, PlanContent& to) {
  const TasksById before = ById(from);
  for (Task& task : to.tasks) {
    const auto earlier = before.find(task.id);
    if (earlier == before.end() || !ChangedFields(*earlier->second, task).empty()) continue;
    task.estimate_usd_nanos = earlier->second->estimate_usd_nanos;
    task.estimate_duration = earlier->second->estimate_duration;
  }
}

Amendment DescribeAmendment(const PlanHead& head, const PlanContent& from, const PlanContent& to) {
  return {.state = head.amendment,
          .version = head.version,
          .base_version = head.approved_version,
          .delta = DeltaBetween(from, to),
          .changes = DescribeChanges(from, to),
          .estimate_change_usd_nanos = to.estimate_usd_nanos - from.estimate_usd_nanos,
          .estimate_change_duration = to.estimate_duration - from.estimate_duration,
          .failure = head.amendment_failure};
}

}  // namespace slipway::planner
