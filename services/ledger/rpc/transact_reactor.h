#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "lib/base/mutex.h"
#include "lib/rpc/call.h"
#include "lib/rpc/call_record.h"
#include "services/ledger/rpc/ledger_handlers.h"
#include "slipway/ledger/v1/ledger_service.pb.h"

namespace slipway::ledger {

class TransactReactor;

// The Transact streams of a server. Thread-safe; must outlive the RPCs, and `handlers` too.
class TransactStreams final {
 public:
  explicit TransactStreams(LedgerHandlers& handlers) : handlers_(handlers) {}

  // Starts a stream that deletes itself.
  TransactReactor* Start(const grpc::CallbackServerContext& context);

  // All streams answer what they have read and end with SHUTTING_DOWN, later ones at once.
  void EndAll();

 private:
  friend class TransactReactor;

  void Remove(TransactReactor& reactor);

  LedgerHandlers& handlers_;
  base::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<TransactReactor*, std::weak_ptr<TransactReactor>> open_ ABSL_GUARDED_BY(mutex_);
};

// One Transact stream: gives each operation that it reads to the method of its name, and collects
// answers while a write is under way. Holds itself until gRPC is done with it, and is held by the
// operations that are not answered.
//
// Whoever changes its state calls Advance. One thread at a time then does what the state asks for,
// so that no read or write is started beside the end of the RPC, nor after it.
class TransactReactor final
    : public grpc::ServerBidiReactor<v1::TransactRequest, v1::TransactResponse>,
      public std::enable_shared_from_this<TransactReactor> {
 public:
  TransactReactor(TransactStreams& streams, const grpc::CallbackServerContext& context);

  // Reads no more; ends with `status` when all that was read is answered.
  void EndAfterAnswers(const absl::Status& status);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  friend class TransactStreams;
  using Operation = v1::TransactRequest::Operation;
  using Answer = v1::TransactResponse::Answer;
  enum class Action { kNone, kRead, kWrite, kFinish };

  absl::Status CheckMessage() const;
  void Carry(const Operation& operation);
  rpc::Call CallFor(const Operation& operation) const;
  // Calls `method` and makes an answer of its reply in the field that `field` returns.
  template <typename Request, typename Response, typename Method>
  void Run(const Operation& operation, const Request& request, Method method,
           Response* (Answer::*field)());
  void Add(Answer answer);
  void Advance();
  Action NextAction() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  TransactStreams& streams_;  // Only while the RPC lasts.
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  rpc::CallRecord record_;
  std::shared_ptr<TransactReactor> self_;
  v1::TransactRequest request_;    // Of the read under way, then of who gives it to the handlers.
  v1::TransactResponse response_;  // Of the write under way.

  base::Mutex mutex_;
  bool acting_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;  // Nobody reads answers any more.
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;  // Operations that were read and whose answers were
                                               // not taken off our hands.
  v1::TransactResponse collected_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::ledger
