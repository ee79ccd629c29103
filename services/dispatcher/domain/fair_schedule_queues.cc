// How queues stand with limits, and with others that pass: the rest of FairSchedule.
#include <utility>

#include "services/dispatcher/domain/fair_schedule.h"

namespace slipway::dispatcher {

void FairSchedule::Yield(Entry& entry, const PathHolds::Overlap& overlap, absl::Duration now) {
  const TaskKey& key = entry.task.key;
  entry.yields_to = TaskKey{.plan = key.plan, .id = overlap.holder};
  changes_.at(*entry.yields_to).yielding.insert(key);
  wait_changes_.insert(key);
  if (!entry.patience.has_value()) {
    entry.patience = now + settings_.overlap_wait;
    patience_.emplace(*entry.patience, key);
  }
  Rearrange(*entry.queue, [&] {
    entry.queue->ready.erase(&entry);
    entry.queue->yielding.insert(&entry);
  });
}

void FairSchedule::EndYield(Entry& entry) {
  // The change may be what has just ended.
  const auto change = changes_.find(*entry.yields_to);
  if (change != changes_.end()) change->second.yielding.erase(entry.task.key);
  entry.yields_to.reset();
  wait_changes_.insert(entry.task.key);
  Rearrange(*entry.queue, [&] {
    entry.queue->yielding.erase(&entry);
    entry.queue->ready.insert(&entry);
  });
}

void FairSchedule::Open(Queue& queue) {
  ++operations_;
  if (!queue.ready.empty()) queue.project->open.insert(&queue);
  if (!queue.yielding.empty()) queue.project->yielding.insert(&queue);
}

void FairSchedule::Detach(Queue& queue) {
  if (queue.empty()) return;
  if (queue.held_by == nullptr) {
    if (!queue.ready.empty()) queue.project->open.erase(&queue);
    if (!queue.yielding.empty()) queue.project->yielding.erase(&queue);
    return;
  }
  const auto found = queue.held_by->held_back.find(queue.project->name);
  found->second.erase(&queue);
  if (found->second.empty()) queue.held_by->held_back.erase(found);
}

void FairSchedule::Rearrange(Queue& queue, absl::FunctionRef<void()> act) {
  Detach(queue);
  act();
  Limit* const limit = std::exchange(queue.held_by, nullptr);
  if (limit != nullptr && limit->full() && !queue.empty()) {
    queue.held_by = limit;
    limit->held_back[queue.project->name].insert(&queue);
  } else {
    Open(queue);
  }
  Reorder(*queue.project);
  EndCall(queue);
}

void FairSchedule::HoldBack(Queue& queue, Limit& limit) {
  Detach(queue);
  queue.held_by = &limit;
  limit.held_back[queue.project->name].insert(&queue);
  Reorder(*queue.project);
  EndCall(queue);
}

// The place that a limit kept for the queue can be another's.
void FairSchedule::EndCall(Queue& queue) {
  Limit* const limit = std::exchange(queue.called_by, nullptr);
  if (limit == nullptr) return;
  const std::string& project = queue.project->name;
  if (--limit->called[project] == 0) limit->called.erase(project);
  CallBack(*limit, project);
}

// Calls back as many of a project's queues as there is room for: which project has it is decided by
// their turns.
void FairSchedule::CallBack(Limit& limit, const std::string& project) {
  while (true) {
    const auto found = limit.held_back.find(project);
    if (found == limit.held_back.end()) return;
    const auto called = limit.called.find(project);
    const int called_count = called == limit.called.end() ? 0 : called->second;
    if (limit.most > 0 && limit.used + called_count >= limit.most) return;
    Queue& queue = **found->second.begin();
    Detach(queue);
    queue.held_by = nullptr;
    queue.called_by = &limit;
    ++limit.called[project];
    Open(queue);
    Reorder(*queue.project);
  }
}

void FairSchedule::CallBackAll(Limit& limit) {
  std::vector<std::string> projects;
  for (const auto& [project, turns] : limit.held_back) projects.push_back(project);
  for (const std::string& project : projects) CallBack(limit, project);
}

void FairSchedule::Use(Limit* limit) {
  if (limit != nullptr) ++limit->used;
}

void FairSchedule::Free(Limit* limit) {
  if (limit == nullptr) return;
  --limit->used;
  CallBackAll(*limit);
}

void FairSchedule::SetMost(Limit& limit, int most) {
  if (limit.most == most) return;
  ++version_;
  limit.most = most;
  CallBackAll(limit);
}

void FairSchedule::EndPatience(absl::Duration now) {
  while (!patience_.empty() && patience_.begin()->first <= now) {
    Entry& entry = *entries_.at(patience_.begin()->second);
    patience_.erase(patience_.begin());
    entry.is_patient = false;
    entry.patience.reset();
    if (entry.yields_to.has_value()) EndYield(entry);
  }
}

void FairSchedule::Reorder(Project& project) {
  ready_turns_.erase({project.virtual_time, project.name});
  yield_turns_.erase({project.virtual_time, project.name});
  project.virtual_time = shares_.VirtualTime(project.name);
  if (!project.open.empty()) ready_turns_.emplace(project.virtual_time, project.name);
  if (!project.yielding.empty()) yield_turns_.emplace(project.virtual_time, project.name);
}

void FairSchedule::UpdateActive(Project& project) {
  shares_.SetActive(project.name, project.slots > 0 || !project.waits.empty());
}

}  // namespace slipway::dispatcher
