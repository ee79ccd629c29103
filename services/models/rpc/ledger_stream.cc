#include "services/models/rpc/ledger_stream.h"

#include <grpcpp/support/client_callback.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/log/context.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/status.h"
#include "lib/rpc/status_proto.h"

namespace slipway::models {
namespace {

namespace pb = ::slipway::ledger::v1;

metrics::Counter streams_opened({.name = "slipway_models_ledger_streams_total",
                                 .description = "Streams of operations opened to the ledger: one, "
                                                "and one more after each loss."});

// As the contract of Transact has them.
constexpr size_t kMessageOperationsMax = 256;
constexpr size_t kMessageBytesMax = 1 << 20;
// The ledger reads no further while more are not answered.
constexpr size_t kUnderWayMax = 1'024;
// Far more than there are calls that begin or end at a time.
constexpr size_t kWaitingMax = 4'096;

absl::Status Overloaded() {
  return base::RetryableError(absl::StatusCode::kResourceExhausted, "QUEUE_FULL",
                              absl::StrCat(kWaitingMax, " operations wait for the ledger already"),
                              absl::Seconds(1));
}

absl::Status TimedOut(absl::Duration timeout) {
  return absl::DeadlineExceededError(
      absl::StrCat("the ledger did not answer within ", absl::FormatDuration(timeout)));
}

// What operations without an answer fail with. What asking again cannot help stays what it is.
absl::Status LossOf(const absl::Status& end) {
  switch (end.code()) {
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return end;
    default:
      return absl::UnavailableError(
          absl::StrCat("the stream to the ledger ended before the answer (",
                       rpc::CodeName(end.code()), ": ", end.message(), ")"));
  }
}

absl::StatusOr<LedgerStream::Answer> ResultOf(LedgerStream::Answer answer) {
  if (!answer.has_error()) return answer;
  return rpc::FromProto(answer.error());
}

}  // namespace

// How many streams gRPC is not done with.
struct LedgerStream::Ended {
  base::Mutex mutex;
  base::CondVar changed;
  int open ABSL_GUARDED_BY(mutex) = 0;
};

// One stream. Holds itself until gRPC is done with it. Whoever changes its state calls Advance, and
// one thread at a time does what the state asks for; the hold on the RPC is given back when nothing
// more can be started.
class LedgerStream::Connection final
    : public grpc::ClientBidiReactor<pb::TransactRequest, pb::TransactResponse>,
      public std::enable_shared_from_this<LedgerStream::Connection> {
 public:
  Connection(std::shared_ptr<Ended> ended, Operation first, Done done) : ended_(std::move(ended)) {
    base::MutexLock lock(mutex_);
    waiting_.push_back({std::move(first), std::move(done)});
  }

  // Once, by whoever made it; others may start operations meanwhile.
  void Open(pb::LedgerService::Stub& stub, const std::string& principal) {
    self_ = shared_from_this();
    {
      base::MutexLock lock(ended_->mutex);
      ++ended_->open;
    }
    streams_opened.Increment();
    const absl::Status prepared = rpc::PrepareContext(
        {.timeout = absl::InfiniteDuration(), .principal = principal}, context_);
    if (!prepared.ok()) GiveUp();
    stub.async()->Transact(&context_, this);
    AddHold();  // Writes are started by threads that are not gRPC's.
    StartRead(&response_);
    StartCall();
    Act();
  }

  void GiveUp() {
    given_up_ = true;
    context_.TryCancel();
  }

  // Takes both, unless the stream has ended.
  bool TryStart(Operation& operation, Done& done) {
    bool full = false;
    {
      base::MutexLock lock(mutex_);
      if (broken_) return false;
      full = waiting_.size() >= kWaitingMax;
      if (!full) waiting_.push_back({std::move(operation), std::move(done)});
    }
    if (full) {
      std::move(done)(Overloaded());
    } else {
      Advance();
    }
    return true;
  }

  int64_t answered() {
    base::MutexLock lock(mutex_);
    return answered_;
  }

  void OnWriteDone(bool ok) override {
    {
      base::MutexLock lock(mutex_);
      writing_ = false;
      if (!ok) broken_ = true;
    }
    Advance();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      {
        base::MutexLock lock(mutex_);
        broken_ = true;
      }
      return Advance();
    }
    std::vector<Done> done;
    {
      base::MutexLock lock(mutex_);
      for (const Answer& answer : response_.answers()) {
        const auto found = under_way_.find(answer.number());
        done.push_back(found == under_way_.end() ? Done() : std::move(found->second));
        if (found != under_way_.end()) under_way_.erase(found);
      }
      answered_ += response_.answers_size();
      // What callers ask for next, told of their answers, goes together.
      telling_ = true;
    }
    for (size_t i = 0; i < done.size(); ++i) {
      Answer& answer = *response_.mutable_answers(static_cast<int>(i));
      if (done[i]) std::move(done[i])(ResultOf(std::move(answer)));
    }
    {
      base::MutexLock lock(mutex_);
      telling_ = false;
    }
    StartRead(&response_);
    Advance();  // There is room for more.
  }

  void OnDone(const grpc::Status& status) override {
    const absl::Status end = rpc::FromGrpcStatus(status);
    std::vector<Done> unanswered;
    {
      base::MutexLock lock(mutex_);
      broken_ = true;
      for (auto& [number, done] : under_way_) unanswered.push_back(std::move(done));
      for (Pending& pending : waiting_) unanswered.push_back(std::move(pending.done));
      under_way_.clear();
      waiting_.clear();
    }
    if (!given_up_) {
      log::Info("a stream to the ledger was lost",
                {{"code", rpc::CodeName(end.code())},
                 {"error", end.message()},
                 {"unanswered", static_cast<int64_t>(unanswered.size())}});
    }
    for (Done& done : unanswered) std::move(done)(LossOf(end));
    const std::shared_ptr<Ended> ended = ended_;
    self_.reset();
    base::MutexLock lock(ended->mutex);
    if (--ended->open == 0) ended->changed.NotifyAll();
  }

 private:
  struct Pending {
    Operation operation;
    Done done;
  };
  enum class Action { kNone, kWrite, kLetGo };

  void Advance() {
    {
      base::MutexLock lock(mutex_);
      if (acting_) return;  // Who acts looks at the state again before he leaves.
      acting_ = true;
    }
    Act();
  }

  void Act() {
    while (true) {
      Action action = Action::kNone;
      {
        base::MutexLock lock(mutex_);
        action = NextAction();
        acting_ = action != Action::kNone;
      }
      if (action == Action::kNone) return;
      if (action == Action::kLetGo) return RemoveHold();  // Nobody acts again.
      StartWrite(&request_);
    }
  }

  Action NextAction() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (broken_) return Action::kLetGo;
    if (writing_ || telling_ || waiting_.empty()) return Action::kNone;
    if (under_way_.size() >= kUnderWayMax) return Action::kNone;
    request_.Clear();
    size_t bytes = 0;
    const size_t room = std::min(kMessageOperationsMax, kUnderWayMax - under_way_.size());
    while (!waiting_.empty() && static_cast<size_t>(request_.operations_size()) < room) {
      Pending& next = waiting_.front();
      next.operation.set_number(++last_number_);
      bytes += next.operation.ByteSizeLong() + kOverheadBytes;
      if (bytes > kMessageBytesMax && request_.operations_size() > 0) break;
      under_way_.emplace(last_number_, std::move(next.done));
      *request_.add_operations() = std::move(next.operation);
      waiting_.pop_front();
    }
    writing_ = true;
    return Action::kWrite;
  }

  static constexpr size_t kOverheadBytes = 16;  // Of an operation in its message.

  const std::shared_ptr<Ended> ended_;
  std::shared_ptr<Connection> self_;
  grpc::ClientContext context_;
  std::atomic<bool> given_up_ = false;
  pb::TransactRequest request_;    // Of the write under way.
  pb::TransactResponse response_;  // Of the read under way.

  base::Mutex mutex_;
  bool acting_ ABSL_GUARDED_BY(mutex_) = true;  // Who opens it.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool telling_ ABSL_GUARDED_BY(mutex_) = false;  // Callers of their answers.
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t answered_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Pending> waiting_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<uint64_t, Done> under_way_ ABSL_GUARDED_BY(mutex_);
};

LedgerStream::LedgerStream(std::shared_ptr<grpc::Channel> channel, std::string principal)
    : principal_(std::move(principal)),
      stub_(pb::LedgerService::NewStub(std::move(channel))),
      ended_(std::make_shared<Ended>()) {}

LedgerStream::~LedgerStream() {
  {
    base::MutexLock lock(mutex_);
    if (current_ != nullptr) current_->GiveUp();
    current_.reset();
  }
  base::MutexLock lock(ended_->mutex);
  while (ended_->open > 0) ended_->changed.Wait(ended_->mutex);
}

void LedgerStream::Start(Operation operation, Done done) {
  StartOn(std::move(operation), std::move(done));
}

std::shared_ptr<LedgerStream::Connection> LedgerStream::StartOn(Operation operation, Done done) {
  if (operation.request_id().empty()) {
    operation.set_request_id(log::CurrentContext().request_id);
  }
  while (true) {
    std::shared_ptr<Connection> connection;
    {
      base::MutexLock lock(mutex_);
      connection = current_;
    }
    if (connection != nullptr && connection->TryStart(operation, done)) return connection;
    {
      base::MutexLock lock(mutex_);
      if (current_ != connection) continue;  // Another thread has opened the next one.
      current_ = std::make_shared<Connection>(ended_, std::move(operation), std::move(done));
      connection = current_;
    }
    connection->Open(*stub_, principal_);
    return connection;
  }
}

void LedgerStream::StartFor(Operation operation, absl::Duration timeout, base::Clock& clock,
                            Done done) {
  struct Waiting {
    base::Mutex mutex;
    Done done ABSL_GUARDED_BY(mutex);
    std::unique_ptr<base::Timer> timer ABSL_GUARDED_BY(mutex);
    bool over ABSL_GUARDED_BY(mutex) = false;

    // Whoever is first ends the waiting; destroys the timer outside the lock, which may wait for
    // it.
    bool End(absl::StatusOr<Answer> result) {
      std::unique_ptr<base::Timer> stopped;
      Done told;
      {
        base::MutexLock lock(mutex);
        if (std::exchange(over, true)) return false;
        std::swap(stopped, timer);
        std::swap(told, done);
      }
      std::move(told)(std::move(result));
      return true;
    }
  };
  const auto waiting = std::make_shared<Waiting>();
  {
    base::MutexLock lock(waiting->mutex);
    waiting->done = std::move(done);
  }
  const std::shared_ptr<Connection> connection =
      StartOn(std::move(operation),
              [waiting](absl::StatusOr<Answer> result) { waiting->End(std::move(result)); });
  const int64_t answered = connection->answered();
  std::unique_ptr<base::Timer> timer =
      clock.RunAfter(timeout, [waiting, timeout, connection, answered] {
        if (waiting->End(TimedOut(timeout)) && connection->answered() == answered) {
          connection->GiveUp();
        }
      });
  base::MutexLock lock(waiting->mutex);
  if (!waiting->over) waiting->timer = std::move(timer);
}

absl::StatusOr<LedgerStream::Answer> LedgerStream::Run(Operation operation,
                                                       absl::Duration timeout) {
  struct Waiting {
    base::Mutex mutex;
    base::CondVar changed;
    std::optional<absl::StatusOr<Answer>> result ABSL_GUARDED_BY(mutex);
  };
  const auto waiting = std::make_shared<Waiting>();
  const absl::Duration end = base::RealClock().Elapsed() + timeout;
  const std::shared_ptr<Connection> connection =
      StartOn(std::move(operation), [waiting](absl::StatusOr<Answer> result) {
        base::MutexLock lock(waiting->mutex);
        waiting->result = std::move(result);
        waiting->changed.NotifyAll();
      });
  const int64_t answered = connection->answered();
  {
    base::MutexLock lock(waiting->mutex);
    while (!waiting->result.has_value()) {
      const absl::Duration left = end - base::RealClock().Elapsed();
      if (left <= absl::ZeroDuration()) break;
      waiting->changed.WaitFor(waiting->mutex, left);
    }
    if (waiting->result.has_value()) return *std::move(waiting->result);
  }
  if (connection->answered() == answered) connection->GiveUp();
  return TimedOut(timeout);
}

}  // namespace slipway::models
