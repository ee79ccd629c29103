#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "lib/base/mutex.h"
#include "services/dispatcher/domain/keys.h"
#include "services/dispatcher/domain/scheduling.h"

namespace slipway::dispatcher {

// Why tasks wait for an agent, as the core saw it last: for those who ask meanwhile. A task that is
// not in it does not wait for one. Thread-safe.
class WaitNotes final {
 public:
  void Apply(WaitChanges changes);

  std::optional<Wait> Find(const TaskKey& key) const;

  // How many tasks of a plan wait, by reason.
  std::map<WaitReason, int> CountOf(const std::string& plan) const;
  std::map<WaitReason, int> Count() const;

 private:
  struct Queue {
    QueueNote note;
    std::map<WaitReason, int> own;  // How many of its tasks wait for something of their own.
    int tasks = 0;                  // How many wait for what the queue waits for.

    void AddTo(std::map<WaitReason, int>& counts) const;
  };

  void Add(const TaskNote& note, int number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable base::Mutex mutex_;
  std::map<TaskKey, TaskNote> tasks_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, Queue> queues_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::dispatcher
