#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/mutex.h"
#include "lib/base/reply.h"
#include "lib/sqlite/database.h"

namespace slipway::sqlite {

struct GroupWriterOptions {
  // Writes that wait; at 10,000 a second and more this is well under a second of work.
  size_t queue_max = 4'096;
  // Bounds how long the first of a batch waits for the last.
  size_t batch_max = 256;
  // False: operations that fail have changed nothing, so that none needs a savepoint of its own.
  bool savepoints = true;
  // False: there is no thread; RunQueued runs what has queued up. For simulations that replay.
  bool own_thread = true;
  // Called after batches that made changes durable, on the writer's thread, after their replies and
  // under no lock: to wake watchers. Must not block.
  absl::AnyInvocable<void()> on_committed = nullptr;
  // Called once, after the replies, when a transaction that had begun could not be committed. What
  // is on disk is then unknown to the program's memory, so by default the process prints the error
  // and aborts; a restart recovers from the file.
  absl::AnyInvocable<void(const absl::Status&)> on_commit_failed = nullptr;
};

// Writes on one thread and commits whatever has queued up as one transaction: no timer, so that a
// lone write does not wait and many share one sync of the disk.
//
// Each operation runs in a savepoint: a refused one undoes only itself. Operations run in the order
// of their Write calls. A reply is sent only after the commit that made the write durable: also a
// refusal, which may rest on what an earlier operation of the batch has changed.
// After a failed commit every reply is UNAVAILABLE (COMMIT_FAILED). Thread-safe.
class GroupWriter final {
 public:
  // `database` must outlive the writer.
  explicit GroupWriter(Database& database, GroupWriterOptions options = {});
  ~GroupWriter() { Stop(); }
  GroupWriter(const GroupWriter&) = delete;
  GroupWriter& operator=(const GroupWriter&) = delete;

  // Queues `operation`, StatusOr<T>(Transaction&), whose result goes to `reply`, on the writer's
  // thread. A refusal (RESOURCE_EXHAUSTED QUEUE_FULL, UNAVAILABLE SHUTTING_DOWN) is answered here.
  // Neither may block or wait for another write.
  template <typename T, typename Operation>
  void Write(Operation operation, base::Reply<T> reply) {
    Enqueue(std::make_unique<TypedJob<T, Operation>>(std::move(operation), std::move(reply)));
  }

  // Queues `operation`, Status(Transaction&) or StatusOr<T>(Transaction&), and waits until it is
  // durable or refused. Not from the writer's thread: fails there with INTERNAL (NESTED_USE).
  template <typename Operation>
  std::invoke_result_t<Operation&, Transaction&> WriteAndWait(Operation operation);

  // What an operation returns when its owner's memory may no longer be what the file will tell: the
  // batch is rolled back and on_commit_failed is called.
  static absl::Status LostBatch(const absl::Status& cause);

  // Commits all that has queued up, also by replies, on the calling thread. Only without
  // own_thread.
  void RunQueued();

  // Refuses further writes, finishes those that are queued, and joins. Idempotent. Not from an
  // operation or a reply.
  void Stop();

 private:
  class Job {
   public:
    virtual ~Job() = default;
    virtual absl::Status Run(Transaction& transaction) = 0;
    // Whether Run was OK.
    virtual bool succeeded() const = 0;
    // Replaces the result by the error that undid it.
    virtual void Fail(const absl::Status& error) = 0;
    virtual void Answer(const absl::Status& batch) = 0;
  };

  template <typename T, typename Operation>
  class TypedJob final : public Job {
   public:
    TypedJob(Operation operation, base::Reply<T> reply)
        : operation_(std::move(operation)), reply_(std::move(reply)) {}

    absl::Status Run(Transaction& transaction) override {
      result_.emplace(operation_(transaction));
      return result_->status();
    }

    bool succeeded() const override { return result_.has_value() && result_->ok(); }

    void Fail(const absl::Status& error) override { result_.emplace(error); }

    void Answer(const absl::Status& batch) override {
      if (!batch.ok()) return std::move(reply_)(batch);
      std::move(reply_)(*std::move(result_));
    }

   private:
    Operation operation_;
    base::Reply<T> reply_;
    std::optional<absl::StatusOr<T>> result_;
  };

  struct Nothing {};
  using Batch = std::vector<std::unique_ptr<Job>>;

  void Enqueue(std::unique_ptr<Job> job);
  absl::Status Refusal() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Batch Take();
  Batch TakeQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Loop();
  void Commit(Batch batch);
  absl::Status RunBatch(Transaction& transaction, const Batch& batch, bool& succeeded);
  void Fail(Batch batch, const absl::Status& failure);
  static void Answer(Batch batch, const absl::Status& failure);
  bool OnWriterThread() const { return std::this_thread::get_id() == thread_.get_id(); }
  static absl::Status NestedError();

  Database& database_;
  GroupWriterOptions options_;

  mutable base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<std::unique_ptr<Job>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  base::Mutex stop_mutex_;  // Lets concurrent Stops all wait for the one join.
  std::thread thread_;
};

template <typename Operation>
std::invoke_result_t<Operation&, Transaction&> GroupWriter::WriteAndWait(Operation operation) {
  using Result = std::invoke_result_t<Operation&, Transaction&>;
  constexpr bool kPlain = std::is_same_v<Result, absl::Status>;
  using Value = typename std::conditional_t<kPlain, absl::StatusOr<Nothing>, Result>::value_type;
  if (OnWriterThread()) return NestedError();

  struct Waiter {
    base::Mutex mutex;
    base::CondVar answered;
    std::optional<absl::StatusOr<Value>> result;
  };
  // Shared: the thread that answers still holds the mutex when the waiting one wakes.
  auto waiter = std::make_shared<Waiter>();
  Write<Value>(
      [&operation](Transaction& transaction) -> absl::StatusOr<Value> {
        if constexpr (kPlain) {
          RETURN_IF_ERROR(operation(transaction));
          return Nothing{};
        } else {
          return operation(transaction);
        }
      },
      base::Reply<Value>([waiter](absl::StatusOr<Value> result) {
        base::MutexLock lock(waiter->mutex);
        waiter->result.emplace(std::move(result));
        waiter->answered.NotifyAll();
      }));
  if (!options_.own_thread) RunQueued();
  base::MutexLock lock(waiter->mutex);
  while (!waiter->result.has_value()) waiter->answered.Wait(waiter->mutex);
  if constexpr (kPlain) {
    return waiter->result->status();
  } else {
    return *std::move(waiter->result);
  }
}

}  // namespace slipway::sqlite
