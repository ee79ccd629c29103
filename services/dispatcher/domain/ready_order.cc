#include "services/dispatcher/domain/ready_order.h"

#include <algorithm>
#include <deque>
#include <set>
#include <tuple>
#include <utility>

#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

int AgedPriority(const ReadyTask& task, absl::Time now) {
  const int64_t steps = (now - task.ready_time) / kAgingStep;
  return task.priority + static_cast<int>(std::clamp<int64_t>(steps, 0, kAgingMax));
}

}  // namespace

std::vector<ReadyTask> OrderOfTurns(std::vector<ReadyTask> ready,
                                    std::map<std::string, ProjectShare> shares, absl::Time now) {
  const auto rank = [now](const ReadyTask& task) {
    return std::make_tuple(!task.validates, -AgedPriority(task, now), -task.remaining_path,
                           task.ready_time, task.key);
  };
  std::sort(ready.begin(), ready.end(),
            [&](const ReadyTask& a, const ReadyTask& b) { return rank(a) < rank(b); });
  std::map<std::string, std::deque<ReadyTask>> queues;
  for (ReadyTask& task : ready) queues[task.project].push_back(std::move(task));

  std::set<std::pair<int, std::string>> turns;
  for (const auto& [project, queue] : queues) turns.emplace(shares[project].running, project);
  std::vector<ReadyTask> ordered;
  while (!turns.empty()) {
    const auto [running, project] = *turns.begin();
    turns.erase(turns.begin());
    const int parallel_max = shares[project].parallel_max;
    if (parallel_max > 0 && running >= parallel_max) continue;
    std::deque<ReadyTask>& queue = queues[project];
    ordered.push_back(std::move(queue.front()));
    queue.pop_front();
    if (!queue.empty()) turns.emplace(running + 1, project);
  }
  return ordered;
}

}  // namespace slipway::dispatcher
