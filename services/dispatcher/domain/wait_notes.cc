#include "services/dispatcher/domain/wait_notes.h"

#include <utility>

namespace slipway::dispatcher {

void WaitNotes::Queue::AddTo(std::map<WaitReason, int>& counts) const {
  if (tasks > 0) counts[note.wait.reason] += tasks;
  for (const auto& [reason, count] : own) counts[reason] += count;
}

void WaitNotes::Add(const TaskNote& note, int number) {
  Queue& queue = queues_[note.queue];
  if (!note.own.has_value()) {
    queue.tasks += number;
  } else if ((queue.own[note.own->reason] += number) == 0) {
    queue.own.erase(note.own->reason);
  }
}

void WaitNotes::Apply(WaitChanges changes) {
  if (changes.tasks.empty() && changes.queues.empty()) return;
  base::MutexLock lock(mutex_);
  for (auto& [key, note] : changes.tasks) {
    if (const auto known = tasks_.find(key); known != tasks_.end()) {
      Add(known->second, -1);
      tasks_.erase(known);
    }
    if (!note.has_value()) continue;
    Add(*note, 1);
    tasks_.emplace(key, *std::move(note));
  }
  for (auto& [number, note] : changes.queues) {
    if (note.has_value()) {
      queues_[number].note = *std::move(note);
    } else {
      queues_.erase(number);
    }
  }
}

std::optional<Wait> WaitNotes::Find(const TaskKey& key) const {
  base::MutexLock lock(mutex_);
  const auto found = tasks_.find(key);
  if (found == tasks_.end()) return std::nullopt;
  if (found->second.own.has_value()) return found->second.own;
  return queues_.at(found->second.queue).note.wait;
}

std::map<WaitReason, int> WaitNotes::CountOf(const std::string& plan) const {
  base::MutexLock lock(mutex_);
  std::map<WaitReason, int> counts;
  for (const auto& [number, queue] : queues_) {
    if (queue.note.plan == plan) queue.AddTo(counts);
  }
  return counts;
}

std::map<WaitReason, int> WaitNotes::Count() const {
  base::MutexLock lock(mutex_);
  std::map<WaitReason, int> counts;
  for (const auto& [number, queue] : queues_) queue.AddTo(counts);
  return counts;
}

}  // namespace slipway::dispatcher
