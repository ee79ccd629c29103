#include "services/planner/domain/task_graph.h"

#include <algorithm>
#include <functional>
#include <queue>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status_macros.h"
#include "services/planner/domain/errors.h"

namespace slipway::planner {
namespace {

constexpr size_t kCycleShownMax = 20;  // A longer circle is cut in the message.

struct Edges {
  std::vector<std::vector<size_t>> dependencies;
  std::vector<std::vector<size_t>> dependents;
};

absl::StatusOr<Edges> Connect(absl::Span<const Task> tasks) {
  absl::flat_hash_map<absl::string_view, size_t> positions;
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (!positions.emplace(tasks[i].id, i).second) return TaskDuplicate(tasks[i].id);
  }
  Edges edges{std::vector<std::vector<size_t>>(tasks.size()),
              std::vector<std::vector<size_t>>(tasks.size())};
  for (size_t i = 0; i < tasks.size(); ++i) {
    for (const std::string& dependency : tasks[i].depends_on) {
      const auto found = positions.find(dependency);
      if (found == positions.end()) return DependencyUnknown(tasks[i].id, dependency);
      std::vector<size_t>& known = edges.dependencies[i];
      if (std::find(known.begin(), known.end(), found->second) != known.end()) continue;
      known.push_back(found->second);
      edges.dependents[found->second].push_back(i);
    }
  }
  return edges;
}

// Each task that is left over by the topological order depends on another that is left over, so
// that a walk along them must meet itself.
std::string NameCycle(absl::Span<const Task> tasks, const Edges& edges,
                      const std::vector<bool>& ordered) {
  size_t task = 0;
  while (ordered[task]) ++task;
  std::vector<size_t> walk;
  std::vector<size_t> step_of(tasks.size(), tasks.size());
  while (step_of[task] == tasks.size()) {
    step_of[task] = walk.size();
    walk.push_back(task);
    task = *std::find_if(edges.dependencies[task].begin(), edges.dependencies[task].end(),
                         [&](size_t dependency) { return !ordered[dependency]; });
  }
  std::vector<size_t> cycle(walk.begin() + step_of[task], walk.end());
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  std::vector<std::string> names;
  for (size_t i = 0; i < cycle.size(); ++i) {
    if (i == kCycleShownMax && cycle.size() > kCycleShownMax + 1) {
      names.push_back(absl::StrCat("(", cycle.size() - i, " more)"));
      break;
    }
    names.push_back(tasks[cycle[i]].id);
  }
  names.push_back(tasks[cycle.front()].id);
  return absl::StrJoin(names, " -> ");
}

void FindCriticalPath(absl::Span<const Task> tasks, const Edges& edges, TaskGraph& graph) {
  std::vector<absl::Duration> finish(tasks.size());
  std::vector<size_t> longest(tasks.size(), tasks.size());
  size_t last = graph.order.front();
  for (const size_t task : graph.order) {
    absl::Duration start;
    for (const size_t dependency : edges.dependencies[task]) {
      // A chain of tasks without estimates is still a chain.
      if (longest[task] == tasks.size() || finish[dependency] > start) {
        start = finish[dependency];
        longest[task] = dependency;
      }
    }
    finish[task] = start + tasks[task].estimate_duration;
    if (finish[task] > finish[last]) last = task;
  }
  graph.duration = finish[last];
  for (size_t task = last; task != tasks.size(); task = longest[task]) {
    graph.critical_path.push_back(task);
  }
  std::reverse(graph.critical_path.begin(), graph.critical_path.end());
}

}  // namespace

absl::StatusOr<TaskGraph> MakeTaskGraph(absl::Span<const Task> tasks) {
  if (tasks.empty()) return PlanEmpty();
  ASSIGN_OR_RETURN(const Edges edges, Connect(tasks));

  TaskGraph graph;
  std::vector<size_t> missing(tasks.size());
  std::vector<size_t> wave(tasks.size());
  std::vector<bool> ordered(tasks.size());
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < tasks.size(); ++i) {
    missing[i] = edges.dependencies[i].size();
    if (missing[i] == 0) ready.push(i);
  }
  while (!ready.empty()) {
    const size_t task = ready.top();
    ready.pop();
    ordered[task] = true;
    graph.order.push_back(task);
    for (const size_t dependent : edges.dependents[task]) {
      wave[dependent] = std::max(wave[dependent], wave[task] + 1);
      if (--missing[dependent] == 0) ready.push(dependent);
    }
  }
  if (graph.order.size() < tasks.size()) return PlanCycle(NameCycle(tasks, edges, ordered));

  for (size_t i = 0; i < tasks.size(); ++i) {
    if (graph.waves.size() <= wave[i]) graph.waves.resize(wave[i] + 1);
    graph.waves[wave[i]].push_back(i);
  }
  FindCriticalPath(tasks, edges, graph);
  return graph;
}

}  // namespace slipway::planner
