#include "services/ledger/rpc/transact_reactor.h"

#include <functional>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/log/context.h"
#include "lib/rpc/metadata.h"
#include "lib/rpc/status.h"
#include "lib/rpc/status_proto.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/domain/limits.h"

namespace slipway::ledger {
TransactReactor* TransactStreams::Start(const grpc::CallbackServerContext& context) {
  const auto reactor = std::make_shared<TransactReactor>(*this, context);
  reactor->self_ = reactor;
  bool ending = false;
  {
    base::MutexLock lock(mutex_);
    ending = ending_;
    open_[reactor.get()] = reactor;
  }
  if (ending) {
    reactor->EndAfterAnswers(ShuttingDown());
  } else {
    reactor->Advance();
  }
  return reactor.get();
}

void TransactStreams::EndAll() {
  std::vector<std::shared_ptr<TransactReactor>> reactors;
  {
    base::MutexLock lock(mutex_);
    ending_ = true;
    for (const auto& [address, weak] : open_) {
      if (std::shared_ptr<TransactReactor> reactor = weak.lock()) {
        reactors.push_back(std::move(reactor));
      }
    }
  }
  for (const std::shared_ptr<TransactReactor>& reactor : reactors) {
    reactor->EndAfterAnswers(ShuttingDown());
  }
}

void TransactStreams::Remove(TransactReactor& reactor) {
  base::MutexLock lock(mutex_);
  open_.erase(&reactor);
}

TransactReactor::TransactReactor(TransactStreams& streams,
                                 const grpc::CallbackServerContext& context)
    : streams_(streams),
      record_(rpc::RpcName<v1::TransactRequest>(), rpc::CallOf(context, cancelled_),
              rpc::CallRecord::Kind::kStream) {}

void TransactReactor::EndAfterAnswers(const absl::Status& status) {
  {
    base::MutexLock lock(mutex_);
    if (!end_.has_value()) end_ = status;
  }
  Advance();
}

void TransactReactor::OnReadDone(bool ok) {
  absl::Status checked = absl::OkStatus();
  if (ok) {
    checked = CheckMessage();
    const int count = checked.ok() ? request_.operations_size() : 0;
    {
      base::MutexLock lock(mutex_);
      under_way_ += count;
    }
    for (int i = 0; i < count; ++i) Carry(request_.operations(i));
  }
  {
    base::MutexLock lock(mutex_);
    reading_ = false;
    if ((!ok || !checked.ok()) && !end_.has_value()) end_ = checked;
  }
  Advance();
}

absl::Status TransactReactor::CheckMessage() const {
  const int count = request_.operations_size();
  if (count > kMessageOperationsMax) return MessageTooLarge(count);
  if (request_.ByteSizeLong() > kMessageBytesMax) return MessageTooLarge(count);
  return absl::OkStatus();
}

void TransactReactor::Carry(const Operation& operation) {
  switch (operation.request_case()) {
    case Operation::kReserve:
      return Run(operation, operation.reserve(), &LedgerHandlers::Reserve,
                 &Answer::mutable_reserve);
    case Operation::kSettle:
      return Run(operation, operation.settle(), &LedgerHandlers::Settle, &Answer::mutable_settle);
    case Operation::kRelease:
      return Run(operation, operation.release(), &LedgerHandlers::Release,
                 &Answer::mutable_release);
    case Operation::kExtend:
      return Run(operation, operation.extend(), &LedgerHandlers::Extend, &Answer::mutable_extend);
    case Operation::kTopUp:
      return Run(operation, operation.top_up(), &LedgerHandlers::TopUp, &Answer::mutable_top_up);
    case Operation::kAdjust:
      return Run(operation, operation.adjust(), &LedgerHandlers::Adjust, &Answer::mutable_adjust);
    case Operation::REQUEST_NOT_SET:
      break;
  }
  Answer answer;
  answer.set_number(operation.number());
  rpc::ToProto(OperationUnknown(), *answer.mutable_error(), record_.call().request_id());
  Add(std::move(answer));
}

template <typename Request, typename Response, typename Method>
void TransactReactor::Run(const Operation& operation, const Request& request, Method method,
                          Response* (Answer::*field)()) {
  auto record = std::make_unique<rpc::CallRecord>(rpc::RpcName<Request>(), CallFor(operation));
  const rpc::Call& call = record->call();
  const log::ScopedContext log_context({.request_id = call.request_id()});
  std::invoke(method, streams_.handlers_, call, request,
              base::Reply<Response>([self = shared_from_this(), number = operation.number(),
                                     record = std::move(record),
                                     field](absl::StatusOr<Response> result) mutable {
                record->Finish(result.status());
                Answer answer;
                answer.set_number(number);
                if (result.ok()) {
                  *(answer.*field)() = *std::move(result);
                } else {
                  rpc::ToProto(result.status(), *answer.mutable_error(),
                               record->call().request_id());
                }
                self->Add(std::move(answer));
              }));
}

rpc::Call TransactReactor::CallFor(const Operation& operation) const {
  const rpc::Call& stream = record_.call();
  const bool named = rpc::IsMetadataValue(operation.request_id());
  return rpc::Call({.principal = stream.principal(),
                    .role = stream.role(),
                    .request_id = named ? operation.request_id() : stream.request_id(),
                    .cancellation = cancelled_});
}

void TransactReactor::Add(Answer answer) {
  {
    base::MutexLock lock(mutex_);
    if (gone_ || finished_) return;
    *collected_.add_answers() = std::move(answer);
  }
  Advance();
}

void TransactReactor::OnWriteDone(bool ok) {
  {
    base::MutexLock lock(mutex_);
    writing_ = false;
    under_way_ -= response_.answers_size();
    response_.Clear();
    if (!ok) gone_ = true;
  }
  Advance();
}

void TransactReactor::OnCancel() {
  cancelled_->store(true, std::memory_order_release);
  {
    base::MutexLock lock(mutex_);
    gone_ = true;
  }
  Advance();
}

void TransactReactor::OnDone() {
  streams_.Remove(*this);
  self_.reset();
}

void TransactReactor::Advance() {
  {
    base::MutexLock lock(mutex_);
    if (acting_) return;  // Who acts looks at the state again before he leaves.
    acting_ = true;
  }
  while (true) {
    Action action = Action::kNone;
    absl::Status status;
    {
      base::MutexLock lock(mutex_);
      action = NextAction();
      if (action == Action::kNone) {
        acting_ = false;
        return;
      }
      status = gone_ ? absl::CancelledError("the caller went away") : end_.value_or(status);
    }
    switch (action) {
      case Action::kRead:
        StartRead(&request_);
        break;
      case Action::kWrite:
        StartWrite(&response_);
        break;
      default:
        record_.Finish(status);
        Finish(rpc::ToGrpcStatus(status, record_.call().request_id()));
        return;  // Nobody acts again.
    }
  }
}

TransactReactor::Action TransactReactor::NextAction() {
  if (finished_) return Action::kNone;
  if (!writing_) {
    if (gone_ || (end_.has_value() && under_way_ == 0)) {
      finished_ = true;
      return Action::kFinish;
    }
    if (collected_.answers_size() > 0) {
      response_.Swap(&collected_);
      writing_ = true;
      return Action::kWrite;
    }
  }
  if (!reading_ && !gone_ && !end_.has_value() && under_way_ < kOperationsUnderWayMax) {
    reading_ = true;
    return Action::kRead;
  }
  return Action::kNone;
}

}  // namespace slipway::ledger
