#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "lib/base/mutex.h"

namespace slipway::dispatcher {

// What commands do to the world outside: done only after the commands' changes are on disk. What is
// decided between two calls of Take is one commit; commits have numbers, from 1, and are stored in
// their order. Used by the core's thread, but for what Take returns.
class Outbox final {
 public:
  using Effect = absl::AnyInvocable<void() &&>;

  void Add(Effect effect) { effects_.push_back(std::move(effect)); }
  // For what tells of nothing but what was on disk before: it waits for no commit.
  void AddSettled(Effect effect) { settled_.push_back(std::move(effect)); }
  // For what tells of what was decided in a commit, and of nothing later.
  void AddAfter(int64_t commit, Effect effect) {
    {
      base::MutexLock lock(mutex_);
      if (stored_ < commit) {
        late_.emplace_back(commit, std::move(effect));
        return;
      }
    }
    AddSettled(std::move(effect));
  }

  // The number of the commit that present decisions are part of.
  int64_t commit() const { return commit_; }
  // Whether a commit is on disk, and everything that waited for it was done.
  bool IsStored(int64_t commit) const {
    base::MutexLock lock(mutex_);
    return commit <= stored_;
  }

  bool empty() const { return effects_.empty(); }

  // Ends the commit. What it returns is to be done when that is on disk, in this order.
  std::vector<Effect> Take() {
    Add([this, commit = commit_++] { Store(commit); });
    return std::exchange(effects_, {});
  }
  std::vector<Effect> TakeSettled() { return std::exchange(settled_, {}); }

 private:
  void Store(int64_t commit) {
    std::vector<Effect> due;
    {
      base::MutexLock lock(mutex_);
      stored_ = commit;
      std::vector<std::pair<int64_t, Effect>> rest;
      for (auto& [of, effect] : late_) {
        if (of <= commit) {
          due.push_back(std::move(effect));
        } else {
          rest.emplace_back(of, std::move(effect));
        }
      }
      late_ = std::move(rest);
    }
    for (Effect& effect : due) std::move(effect)();
  }

  std::vector<Effect> effects_;
  std::vector<Effect> settled_;
  int64_t commit_ = 1;
  mutable base::Mutex mutex_;
  int64_t stored_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::pair<int64_t, Effect>> late_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::dispatcher
