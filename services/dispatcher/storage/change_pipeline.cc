#include "services/dispatcher/storage/change_pipeline.h"

#include <utility>

namespace slipway::dispatcher {
namespace {

// Bounds how long the first change of a transaction waits for the last.
constexpr size_t kBatchMax = 256;

}  // namespace

ChangePipeline::ChangePipeline(sqlite::Database& database, Options options)
    : database_(database), options_(std::move(options)) {
  if (!options_.own_threads) return;
  writer_ = std::thread([this] { WriteLoop(); });
  syncer_ = std::thread([this] { SyncLoop(); });
}

void ChangePipeline::Commit(ChangeSet changes, Callback committed) {
  base::MutexLock lock(mutex_);
  // The effects of what is not stored must not happen.
  if (stopping_ || lost_) return;
  queue_.push_back({std::move(changes), std::move(committed)});
  // While commits wait for a sync the writer goes on waiting, and SyncLoop wakes it.
  if (queue_.size() == 1 && written_.callbacks.empty()) may_write_.NotifyOne();
}

void ChangePipeline::Stop() {
  base::MutexLock stop_lock(stop_mutex_);
  if (!options_.own_threads) RunQueued();
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    may_write_.NotifyOne();
  }
  if (writer_.joinable()) writer_.join();
  if (syncer_.joinable()) syncer_.join();
}

std::vector<ChangePipeline::Change> ChangePipeline::Take() {
  std::vector<Change> batch;
  while (!queue_.empty() && batch.size() < kBatchMax) {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void ChangePipeline::RunQueued() {
  while (true) {
    std::vector<Change> batch;
    {
      base::MutexLock lock(mutex_);
      batch = Take();
    }
    if (batch.empty()) return;
    Written written;
    const absl::Status status = Write(std::move(batch), /*synced=*/true, written);
    if (!status.ok()) return Lose(status);
    Tell(std::move(written.callbacks));
  }
}

absl::Status ChangePipeline::Write(std::vector<Change> batch, bool synced, Written& written) {
  for (Change& change : batch) {
    if (!change.changes.empty()) written.changes.push_back(std::move(change.changes));
    written.callbacks.push_back(std::move(change.committed));
  }
  // What changes nothing only waits for what was before it.
  if (written.changes.empty()) return absl::OkStatus();
  const auto apply = [&](sqlite::Transaction& transaction) {
    return options_.apply(transaction, written.changes);
  };
  return synced ? database_.Write(apply) : database_.WriteUnsynced(apply);
}

void ChangePipeline::WriteLoop() {
  while (true) {
    std::vector<Change> batch;
    {
      base::MutexLock lock(mutex_);
      // Until the sync of the last ones begins, the next batch grows: each commit writes many of
      // the same pages again.
      while ((queue_.empty() && !stopping_) || !written_.callbacks.empty()) {
        may_write_.Wait(mutex_);
      }
      batch = Take();
      if (batch.empty() || lost_) {
        wrote_all_ = true;
        may_sync_.NotifyOne();
        return;
      }
    }
    Written written;
    const absl::Status status = Write(std::move(batch), /*synced=*/false, written);
    if (!status.ok()) {
      Lose(status);
      continue;
    }
    base::MutexLock lock(mutex_);
    written_ = std::move(written);
    may_sync_.NotifyOne();
  }
}

void ChangePipeline::SyncLoop() {
  while (true) {
    Written written;
    {
      base::MutexLock lock(mutex_);
      while (written_.callbacks.empty() && !wrote_all_) may_sync_.Wait(mutex_);
      if (written_.callbacks.empty()) return;
      written = std::exchange(written_, {});
      if (!queue_.empty() || stopping_) may_write_.NotifyOne();
    }
    const absl::Status synced = database_.SyncLog();
    if (!synced.ok()) {
      Lose(synced);
      continue;
    }
    Tell(std::move(written.callbacks));
  }
}

void ChangePipeline::Tell(Callbacks callbacks) {
  {
    base::MutexLock lock(mutex_);
    if (lost_) return;
  }
  for (Callback& callback : callbacks) std::move(callback)();
  options_.on_durable();
}

void ChangePipeline::Lose(const absl::Status& status) {
  {
    base::MutexLock lock(mutex_);
    queue_.clear();
    if (std::exchange(lost_, true)) return;
    stopping_ = true;
    may_write_.NotifyOne();
  }
  options_.on_lost(status);
}

}  // namespace slipway::dispatcher
