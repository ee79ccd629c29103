#pragma once

#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/executor.h"
#include "lib/base/mutex.h"

namespace slipway::base {

// A fixed number of threads over one bounded first-in, first-out queue.
class ThreadPool final : public Executor {
 public:
  struct Options {
    int threads = 2;
    size_t queue_max = 4'096;
  };

  explicit ThreadPool(Options options);
  ~ThreadPool() override { Stop(); }

  absl::Status TryRun(absl::AnyInvocable<void()> job) override;

  // Refuses further jobs, runs those already queued, and joins. Idempotent; not from a job.
  void Stop();

 private:
  void Loop();

  const size_t queue_max_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<absl::AnyInvocable<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace slipway::base
