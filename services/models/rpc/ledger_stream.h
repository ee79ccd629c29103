#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "slipway/ledger/v1/ledger_service.grpc.pb.h"

namespace slipway::models {

// Carries out operations of the ledger on one Transact stream: what comes while a message is on its
// way goes with the next one. Opens the stream with the first operation, and a new one with the
// first after its loss. Thread-safe.
//
// An operation whose stream is lost fails with UNAVAILABLE and was carried out or not:
// ask again with its key.
class LedgerStream final {
 public:
  using Operation = ledger::v1::TransactRequest::Operation;
  using Answer = ledger::v1::TransactResponse::Answer;
  // Gets the answer, or what the operation or its stream has failed with.
  using Done = absl::AnyInvocable<void(absl::StatusOr<Answer>) &&>;

  // `principal` is who the ledger is told calls.
  LedgerStream(std::shared_ptr<grpc::Channel> channel, std::string principal);
  // What is not answered fails. Not while a call of Run lasts.
  ~LedgerStream();

  // Does not block. `done` is called once, on a thread of gRPC or this one, and must not block.
  // The number of `operation` is chosen here. QUEUE_FULL when thousands wait already.
  void Start(Operation operation, Done done);

  // As Start, and as Run where there is no answer in time; `clock` must outlive this object.
  void StartFor(Operation operation, absl::Duration timeout, base::Clock& clock, Done done);

  // Waits for the answer; DEADLINE_EXCEEDED after `timeout`, by when the operation may have been
  // carried out. A stream that has answered nothing for so long is given up.
  absl::StatusOr<Answer> Run(Operation operation, absl::Duration timeout);

 private:
  class Connection;
  struct Ended;

  std::shared_ptr<Connection> StartOn(Operation operation, Done done);

  const std::string principal_;
  const std::unique_ptr<ledger::v1::LedgerService::Stub> stub_;
  const std::shared_ptr<Ended> ended_;
  base::Mutex mutex_;
  std::shared_ptr<Connection> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
