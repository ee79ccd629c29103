#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "lib/base/mutex.h"

namespace slipway::dispatcher {

// One thread that runs commands in order. Takes what has queued up as a batch, and calls
// `after_batch` after each: many commands then share one commit. Thread-safe.
class DispatchLoop final {
 public:
  using Command = absl::AnyInvocable<void()>;

  DispatchLoop() = default;
  ~DispatchLoop() { Stop(); }

  // `after_batch` follows each batch of commands, and once more the end of the last. Without
  // `own_thread` commands run in RunQueued alone.
  void Start(std::function<void()> after_batch, bool own_thread = true);

  // Runs what is queued, also by what runs, on the calling thread; returns whether anything was.
  // Only without own_thread.
  bool RunQueued();

  // False when the loop has stopped, or when kQueueMax commands wait: for requests from outside.
  bool TryPost(Command command);

  // For what follows from commands: results of steps, timers. Their number is bounded by what is
  // under way. Dropped after Stop.
  void Post(Command command);

  // Post, but when the thread has nothing to do the command and what follows its batch run on the
  // calling thread: it takes a while to wake another. For commands that end soon.
  void PostOrRun(Command command);

  // Runs what is queued and joins. Idempotent.
  void Stop();

  size_t size() const;

 private:
  void Run();
  void RunBatch(std::vector<Command> batch);
  void EndBatch();
  std::vector<Command> TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::function<void()> after_batch_;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<Command> queue_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;  // A batch runs.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace slipway::dispatcher
