#include "lib/sqlite/group_writer.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace slipway::sqlite {
namespace {

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
}

void GroupWriter::Stop() {
  base::MutexLock stop_lock(stop_mutex_);
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
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

absl::Status GroupWriter::RunBatch(Transaction& transaction, const Batch& batch, bool& succeeded) {
  for (const std::unique_ptr<Job>& job : batch) {
    const absl::Status done =
        options_.savepoints
            ? transaction.Nested([&job, &transaction] { return job->Run(transaction); })
            : job->Run(transaction);
    if (done.ok()) {
      succeeded = true;
      continue;
    }
    // The batch is lost: the rest must not run in transactions of their own. So it is when an
    // operation was fine, yet its savepoint was not.
    if (job->succeeded() || base::ReasonOf(done) == "TRANSACTION_ROLLED_BACK") return done;
    job->Fail(done);
  }
  return absl::OkStatus();
}

void GroupWriter::Commit(Batch batch) {
  absl::Status failure;
  {
    base::MutexLock lock(mutex_);
    failure = failure_;
  }
  if (!failure.ok()) return Answer(std::move(batch), failure);
  bool begun = false;
  bool succeeded = false;
  const absl::Status committed = database_.Write([&](Transaction& transaction) -> absl::Status {
    begun = true;
    return RunBatch(transaction, batch, succeeded);
  });
  if (!committed.ok()) {
    failure = NotWritten(committed);
    return begun ? Fail(std::move(batch), failure) : Answer(std::move(batch), failure);
  }
  Answer(std::move(batch), absl::OkStatus());
  if (succeeded && options_.on_committed) options_.on_committed();
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
  for (std::unique_ptr<Job>& job : batch) {
    job->Answer(failure);
    job.reset();
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
