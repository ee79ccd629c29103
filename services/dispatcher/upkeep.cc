#include "services/dispatcher/upkeep.h"

#include <utility>

namespace slipway::dispatcher {

struct Upkeep::Shared {
  Shared(base::Clock& its_clock, base::Executor& its_executor, absl::Duration its_interval,
         std::function<void()> its_job)
      : clock(its_clock), executor(its_executor), interval(its_interval), job(std::move(its_job)) {}

  base::Clock& clock;
  base::Executor& executor;
  const absl::Duration interval;
  const std::function<void()> job;
  base::Mutex mutex;
  bool stopped ABSL_GUARDED_BY(mutex) = false;
  std::unique_ptr<base::Timer> timer ABSL_GUARDED_BY(mutex);
};

Upkeep::Upkeep(base::Clock& clock, base::Executor& executor, absl::Duration interval,
               std::function<void()> job)
    : shared_(std::make_shared<Shared>(clock, executor, interval, std::move(job))) {
  if (!executor.TryRun([shared = shared_] { Run(shared); }).ok()) Arm(shared_);
}

void Upkeep::Run(const std::shared_ptr<Shared>& shared) {
  {
    base::MutexLock lock(shared->mutex);
    if (shared->stopped) return;
  }
  shared->job();
  Arm(shared);
}

void Upkeep::Arm(const std::shared_ptr<Shared>& shared) {
  const std::weak_ptr<Shared> weak = shared;
  std::unique_ptr<base::Timer> timer = shared->clock.RunAfter(shared->interval, [weak] {
    const std::shared_ptr<Shared> alive = weak.lock();
    if (alive == nullptr) return;
    // A full queue: later.
    if (!alive->executor.TryRun([alive] { Run(alive); }).ok()) Arm(alive);
  });
  base::MutexLock lock(shared->mutex);
  if (!shared->stopped) std::swap(shared->timer, timer);
}

void Upkeep::Stop() {
  std::unique_ptr<base::Timer> timer;
  base::MutexLock lock(shared_->mutex);
  shared_->stopped = true;
  std::swap(timer, shared_->timer);
}

}  // namespace slipway::dispatcher
