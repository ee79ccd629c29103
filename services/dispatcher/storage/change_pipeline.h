#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "lib/base/mutex.h"
#include "lib/sqlite/database.h"
#include "services/dispatcher/domain/task_store.h"

namespace slipway::dispatcher {

// Writes changes in the order of the calls, all that have queued up in one transaction, and syncs
// them on a second thread while the first writes the next ones: a sync takes as long as hundreds of
// rows. Whoever asked is called, in that order, when its change is synced. After a change that
// could not be written or synced nothing is taken any more. Thread-safe.
class ChangePipeline final {
 public:
  struct Options {
    // Writes changes that follow each other, in a transaction of their own. May take them apart.
    std::function<absl::Status(sqlite::Transaction&, std::vector<ChangeSet>&)> apply;
    // Called after the callbacks of changes that became durable.
    std::function<void()> on_durable;
    // Called once; what was asked for and not called back is lost.
    std::function<void(const absl::Status&)> on_lost;
    bool own_threads = true;  // False: RunQueued does both.
  };

  // `database` gathers its log and outlives the pipeline.
  ChangePipeline(sqlite::Database& database, Options options);
  ~ChangePipeline() { Stop(); }

  void Commit(ChangeSet changes, absl::AnyInvocable<void() &&> committed);

  // Commits all that has queued up, also by callbacks, on the calling thread. Only without
  // own_threads.
  void RunQueued();

  bool HasQueued() {
    base::MutexLock lock(mutex_);
    return !queue_.empty();
  }

  // Finishes what is queued, with its callbacks, and takes no more. Idempotent.
  void Stop();

 private:
  using Callback = absl::AnyInvocable<void() &&>;
  struct Change {
    ChangeSet changes;
    Callback committed;
  };
  using Callbacks = std::vector<Callback>;
  // What one transaction wrote. The changes are freed where nobody waits for it: after the sync.
  struct Written {
    std::vector<ChangeSet> changes;
    Callbacks callbacks;
  };

  std::vector<Change> Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteLoop();
  void SyncLoop();
  // Fills `written`, whose callbacks may be called when it returns OK.
  absl::Status Write(std::vector<Change> batch, bool synced, Written& written);
  void Tell(Callbacks callbacks);
  void Lose(const absl::Status& status);

  sqlite::Database& database_;
  const Options options_;

  base::Mutex mutex_;
  base::CondVar may_write_;
  base::CondVar may_sync_;
  std::deque<Change> queue_ ABSL_GUARDED_BY(mutex_);
  Written written_ ABSL_GUARDED_BY(mutex_);  // In the log and not yet being synced.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool wrote_all_ ABSL_GUARDED_BY(mutex_) = false;  // The writing thread has ended.
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;
  base::Mutex stop_mutex_;  // Lets concurrent Stops all wait for the one join.
  std::thread writer_;
  std::thread syncer_;
};

}  // namespace slipway::dispatcher
