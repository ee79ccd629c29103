#include "services/dispatcher/domain/dispatch_loop.h"

#include <utility>

#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

// Bounds how long the first command of a batch waits for its commit.
constexpr size_t kBatchMax = 128;

}  // namespace

void DispatchLoop::Start(std::function<void()> after_batch, bool own_thread) {
  after_batch_ = std::move(after_batch);
  if (own_thread) thread_ = std::thread([this] { Run(); });
}

bool DispatchLoop::TryPost(Command command) {
  base::MutexLock lock(mutex_);
  if (stopping_ || queue_.size() >= kQueueMax) return false;
  queue_.push_back(std::move(command));
  changed_.NotifyOne();
  return true;
}

void DispatchLoop::Post(Command command) {
  base::MutexLock lock(mutex_);
  if (stopping_) return;
  queue_.push_back(std::move(command));
  changed_.NotifyOne();
}

void DispatchLoop::PostOrRun(Command command) {
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    if (busy_ || !queue_.empty()) {
      queue_.push_back(std::move(command));
      changed_.NotifyOne();
      return;
    }
    busy_ = true;
  }
  command();
  after_batch_();
  EndBatch();
}

void DispatchLoop::EndBatch() {
  base::MutexLock lock(mutex_);
  busy_ = false;
  if (!queue_.empty() || stopping_) changed_.NotifyOne();
}

void DispatchLoop::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

size_t DispatchLoop::size() const {
  base::MutexLock lock(mutex_);
  return queue_.size();
}

void DispatchLoop::Run() {
  while (true) {
    std::vector<Command> batch;
    {
      base::MutexLock lock(mutex_);
      while (busy_ || (queue_.empty() && !stopping_)) changed_.Wait(mutex_);
      batch = TakeBatch();
      busy_ = true;
    }
    const bool last = batch.empty();
    RunBatch(std::move(batch));
    EndBatch();
    if (last) return;
  }
}

bool DispatchLoop::RunQueued() {
  for (bool ran = false;; ran = true) {
    std::vector<Command> batch;
    {
      base::MutexLock lock(mutex_);
      if (queue_.empty() || stopping_) return ran;
      batch = TakeBatch();
    }
    RunBatch(std::move(batch));
  }
}

std::vector<DispatchLoop::Command> DispatchLoop::TakeBatch() {
  std::vector<Command> batch;
  while (!queue_.empty() && batch.size() < kBatchMax) {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void DispatchLoop::RunBatch(std::vector<Command> batch) {
  for (Command& command : batch) command();
  after_batch_();
}

}  // namespace slipway::dispatcher
