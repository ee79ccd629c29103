#include "lib/base/thread_pool.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace slipway::base {

ThreadPool::ThreadPool(Options options) : queue_max_(options.queue_max) {
  threads_.reserve(options.threads);
  for (int i = 0; i < options.threads; ++i) threads_.emplace_back([this] { Loop(); });
}

absl::Status ThreadPool::TryRun(absl::AnyInvocable<void()> job) {
  MutexLock lock(mutex_);
  if (stopping_) {
    return Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the service is shutting down");
  }
  if (queue_.size() >= queue_max_) {
    return RetryableError(absl::StatusCode::kResourceExhausted, "QUEUE_FULL",
                          absl::StrCat(queue_max_, " requests are waiting already"),
                          absl::Seconds(1));
  }
  queue_.push_back(std::move(job));
  changed_.NotifyOne();
  return absl::OkStatus();
}

void ThreadPool::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void ThreadPool::Loop() {
  while (true) {
    absl::AnyInvocable<void()> job;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) changed_.Wait(mutex_);
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    job();
  }
}

}  // namespace slipway::base
