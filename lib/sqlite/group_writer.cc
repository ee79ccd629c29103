#include "lib/sqlite/group_writer.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace slipway::sqlite {
namespace {

// Replies that one job of an executor sends: few enough to spread a batch over its threads.
constexpr size_t kRepliesTogether = 16;

absl::Status NotWritten(const absl::Status& cause) {
  return base::Error(absl::StatusCode::kUnavailable, "COMMIT_FAILED",
                     absl::StrCat("nothing was written: ", cause.ToString()));
}

void PrintAndAbort(const absl::Status& status) {
  const std::string text = status.ToString();
  std::fprintf(stderr, "the database could not commit, stopping: %s\n", text.c_str());
  std::abort();
}

}  // namespace

GroupWriter::GroupWriter(Database& database, GroupWriterOptions options)
    : database_(database), options_(std::move(options)) {
  if (!options_.on_commit_failed) options_.on_commit_failed = PrintAndAbort;
  // The thread may look at thread_ (OnWriterThread): it waits until the member is assigned.
  base::MutexLock lock(mutex_);
  if (!options_.own_thread) return;
  thread_ = std::thread([this] { Loop(); });
  if (database_.syncs_apart()) sync_thread_ = std::thread([this] { SyncLoop(); });
}

void GroupWriter::Stop() {
  base::MutexLock stop_lock(stop_mutex_);
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  {
    base::MutexLock lock(written_mutex_);
    written_all_ = true;
    written_changed_.NotifyAll();
  }
  if (sync_thread_.joinable()) sync_thread_.join();
  if (!options_.own_thread) RunQueued();
}

absl::Status GroupWriter::Refusal() const {
  if (!failure_.ok()) return failure_;
  if (stopping_) {
    return base::Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN",
                       "the service is stopping; retry on another or later");
  }
  if (queue_.size() >= options_.queue_max) {
    return base::Error(absl::StatusCode::kResourceExhausted, "QUEUE_FULL",
                       absl::StrCat(options_.queue_max, " writes are waiting; retry later"));
  }
  return absl::OkStatus();
}

void GroupWriter::Enqueue(std::unique_ptr<Job> job) {
  absl::Status refusal;
  {
    base::MutexLock lock(mutex_);
    refusal = Refusal();
    if (refusal.ok()) {
      queue_.push_back(std::move(job));
      changed_.NotifyOne();
    }
  }
  if (!refusal.ok()) job->Answer(refusal);
}

GroupWriter::Batch GroupWriter::Take() {
  base::MutexLock lock(mutex_);
  while (queue_.empty() && !stopping_) changed_.Wait(mutex_);
  return TakeQueued();
}

GroupWriter::Batch GroupWriter::TakeQueued() {
  Batch batch;
  while (!queue_.empty() && batch.size() < options_.batch_max) {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void GroupWriter::Loop() {
  for (Batch batch = Take(); !batch.empty(); batch = Take()) Commit(std::move(batch));
}

void GroupWriter::RunQueued() {
  while (true) {
    Batch batch;
    {
      base::MutexLock lock(mutex_);
      batch = TakeQueued();
    }
    if (batch.empty()) return;
    Commit(std::move(batch));
  }
}

absl::Status GroupWriter::RunBatch(Transaction& transaction, const Batch& batch,
                                   int64_t& succeeded) {
  for (const std::unique_ptr<Job>& job : batch) {
    const absl::Status done =
        options_.savepoints
            ? transaction.Nested([&job, &transaction] { return job->Run(transaction); })
            : job->Run(transaction);
    if (done.ok()) {
      ++succeeded;
      continue;
    }
    // The batch is lost: the rest must not run in transactions of their own. So it is when an
    // operation was fine, yet its savepoint was not.
    if (job->succeeded() || base::ReasonOf(done) == "TRANSACTION_ROLLED_BACK") return done;
    job->Fail(done);
  }
  return options_.before_commit ? options_.before_commit(transaction) : absl::OkStatus();
}

void GroupWriter::Commit(Batch batch) {
  absl::Status failure;
  {
    base::MutexLock lock(mutex_);
    failure = failure_;
  }
  if (!failure.ok()) return Answer(std::move(batch), failure);
  bool begun = false;
  int64_t succeeded = 0;
  const absl::Status committed =
      database_.WriteUnsynced([&](Transaction& transaction) -> absl::Status {
        begun = true;
        return RunBatch(transaction, batch, succeeded);
      });
  if (!committed.ok()) {
    failure = NotWritten(committed);
    return begun ? Fail(std::move(batch), failure) : Answer(std::move(batch), failure);
  }
  std::vector<Written> written;
  written.push_back({std::move(batch), succeeded});
  if (!sync_thread_.joinable()) return Finish(std::move(written));
  base::MutexLock lock(written_mutex_);
  written_.push_back(std::move(written.front()));
  written_changed_.NotifyAll();
  // Until its sync begins, the next batch grows: each commit writes many of the same pages again.
  while (!written_.empty()) written_changed_.Wait(written_mutex_);
}

void GroupWriter::SyncLoop() {
  while (true) {
    std::vector<Written> written;
    {
      base::MutexLock lock(written_mutex_);
      while (written_.empty() && !written_all_) written_changed_.Wait(written_mutex_);
      if (written_.empty()) return;
      written.swap(written_);
      written_changed_.NotifyAll();
    }
    Finish(std::move(written));
  }
}

void GroupWriter::Finish(std::vector<Written> written) {
  const absl::Status synced = database_.SyncLog();
  int64_t succeeded = 0;
  for (Written& each : written) {
    if (!synced.ok()) {
      Fail(std::move(each.batch), NotWritten(synced));
      continue;
    }
    succeeded += each.succeeded;
    Answer(std::move(each.batch), absl::OkStatus());
  }
  if (succeeded == 0) return;
  if (options_.on_durable) options_.on_durable(succeeded);
  if (options_.on_committed) options_.on_committed();
}

void GroupWriter::Fail(Batch batch, const absl::Status& failure) {
  bool first = false;
  {
    base::MutexLock lock(mutex_);
    first = failure_.ok();
    if (first) failure_ = failure;
  }
  Answer(std::move(batch), failure);
  if (first) options_.on_commit_failed(failure);
}

void GroupWriter::Answer(Batch batch, const absl::Status& failure) {
  const auto jobs = std::make_shared<Batch>(std::move(batch));
  const auto answer = [jobs](size_t begin, size_t end, const absl::Status& status) {
    for (size_t i = begin; i < end; ++i) {
      (*jobs)[i]->Answer(status);
      (*jobs)[i].reset();
    }
  };
  // After a failure the process may end with this call: nothing is left to others.
  if (options_.repliers == nullptr || !failure.ok()) return answer(0, jobs->size(), failure);
  for (size_t begin = 0; begin < jobs->size(); begin += kRepliesTogether) {
    const size_t end = std::min(begin + kRepliesTogether, jobs->size());
    const absl::Status queued =
        options_.repliers->TryRun([=] { answer(begin, end, absl::OkStatus()); });
    if (!queued.ok()) answer(begin, end, absl::OkStatus());
  }
}

absl::Status GroupWriter::LostBatch(const absl::Status& cause) {
  return base::Error(absl::StatusCode::kAborted, "TRANSACTION_ROLLED_BACK",
                     absl::StrCat("memory and file may differ: ", cause.ToString()));
}

absl::Status GroupWriter::NestedError() {
  return base::Error(absl::StatusCode::kInternal, "NESTED_USE",
                     "the writer's own thread cannot wait for itself");
}

}  // namespace slipway::sqlite
