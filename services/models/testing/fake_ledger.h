#pragma once

#include <grpcpp/server_context.h>

#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/mutex.h"
#include "lib/rpc/server.h"
#include "lib/rpc/status.h"
#include "slipway/ledger/v1/ledger_service.grpc.pb.h"

namespace slipway::models {

// A ledger in memory with one limit on money, one price, and the rules of keys: a key is held once,
// ends once, and stays denied. Serves gRPC, so that tests cross the real wire. Thread-safe.
class FakeLedger final : public ledger::v1::LedgerService::Service {
 public:
  struct Entry {
    ledger::v1::ReserveRequest request;
    ledger::v1::Reservation reservation;
    ledger::v1::SettleRequest settle;
    ledger::v1::ReleaseRequest release;
  };

  // 1 USD per million input tokens, 4 per million output tokens.
  static constexpr int64_t kInputPico = 1'000'000;
  static constexpr int64_t kOutputPico = 4'000'000;

  explicit FakeLedger(std::string address) : address_(std::move(address)) { Serve(); }

  void Serve() {
    server_ = rpc::Server::Start(
                  {.address = address_, .services = {this}, .drain_timeout = absl::ZeroDuration()})
                  .value();
  }
  // Streams last as long as their caller likes: they are cut.
  void GoAway() { server_.reset(); }

  void SetLimit(int64_t usd_nanos) {
    base::MutexLock lock(mutex_);
    limit_ = usd_nanos;
  }
  void SetPriceKnown(bool known) {
    base::MutexLock lock(mutex_);
    price_known_ = known;
  }

  std::map<std::string, Entry> entries() {
    base::MutexLock lock(mutex_);
    return entries_;
  }
  int quotes() {
    base::MutexLock lock(mutex_);
    return quotes_;
  }
  std::vector<std::string> closed_owners() {
    base::MutexLock lock(mutex_);
    return closed_owners_;
  }

  // Waits until the reservation has ended and returns it.
  Entry AwaitEnd(const std::string& key) {
    base::MutexLock lock(mutex_);
    while (entries_.count(key) == 0 ||
           entries_[key].reservation.state() == ledger::v1::Reservation::STATE_HELD) {
      changed_.Wait(mutex_);
    }
    return entries_[key];
  }
  void AwaitHeld(const std::string& key) {
    base::MutexLock lock(mutex_);
    while (entries_.count(key) == 0) changed_.Wait(mutex_);
  }
  // Waits for the n-th reservation in order of their keys, and returns its key.
  std::string AwaitCall(size_t n) {
    base::MutexLock lock(mutex_);
    while (entries_.size() < n) changed_.Wait(mutex_);
    return std::next(entries_.begin(), static_cast<ptrdiff_t>(n) - 1)->first;
  }
  // While it is silent, what is asked on streams is done and not answered.
  void SetSilent(bool silent) {
    base::MutexLock lock(mutex_);
    silent_ = silent;
    changed_.NotifyAll();
  }
  // The next so many releases fail as if the ledger stopped.
  void RefuseReleases(int count) {
    base::MutexLock lock(mutex_);
    releases_refused_ = count;
  }
  void AwaitClosedOwners(size_t count) {
    base::MutexLock lock(mutex_);
    while (closed_owners_.size() < count) changed_.Wait(mutex_);
  }

  grpc::Status Quote(grpc::ServerContext*, const ledger::v1::QuoteRequest* request,
                     ledger::v1::QuoteResponse* response) override {
    base::MutexLock lock(mutex_);
    ++quotes_;
    if (!price_known_) return Fail(absl::StatusCode::kNotFound, "PRICE_UNKNOWN");
    const int64_t input = Nanos(request->input_tokens() * kInputPico);
    response->set_input_usd_nanos(input);
    response->set_output_pico_usd(kOutputPico);
    response->set_input_pico_usd(kInputPico);
    response->set_cost_usd_nanos(input + Nanos(request->output_tokens() * kOutputPico));
    return grpc::Status::OK;
  }

  grpc::Status Reserve(grpc::ServerContext*, const ledger::v1::ReserveRequest* request,
                       ledger::v1::ReserveResponse* response) override {
    base::MutexLock lock(mutex_);
    if (entries_.count(request->key()) == 0) entries_[request->key()] = Decide(*request);
    *response->mutable_reservation() = entries_[request->key()].reservation;
    changed_.NotifyAll();
    return grpc::Status::OK;
  }

  grpc::Status Settle(grpc::ServerContext*, const ledger::v1::SettleRequest* request,
                      ledger::v1::SettleResponse* response) override {
    base::MutexLock lock(mutex_);
    const auto found = entries_.find(request->key());
    if (found == entries_.end()) return Fail(absl::StatusCode::kNotFound, "RESERVATION_UNKNOWN");
    Entry& entry = found->second;
    if (entry.reservation.state() == ledger::v1::Reservation::STATE_HELD) {
      entry.settle = *request;
      entry.reservation.set_state(ledger::v1::Reservation::STATE_SETTLED);
      entry.reservation.mutable_settled()->set_usd_nanos(CostOf(entry));
      changed_.NotifyAll();
    } else if (entry.reservation.state() != ledger::v1::Reservation::STATE_SETTLED) {
      return Fail(absl::StatusCode::kFailedPrecondition, "RESERVATION_CLOSED");
    }
    *response->mutable_reservation() = entry.reservation;
    return grpc::Status::OK;
  }

  grpc::Status Release(grpc::ServerContext*, const ledger::v1::ReleaseRequest* request,
                       ledger::v1::ReleaseResponse* response) override {
    base::MutexLock lock(mutex_);
    if (releases_refused_ > 0) {
      --releases_refused_;
      return Fail(absl::StatusCode::kUnavailable, "SHUTTING_DOWN");
    }
    const auto found = entries_.find(request->key());
    if (found == entries_.end()) return Fail(absl::StatusCode::kNotFound, "RESERVATION_UNKNOWN");
    if (request->proof() == ledger::v1::ReleaseRequest::PROOF_UNSPECIFIED) {
      return Fail(absl::StatusCode::kInvalidArgument, "PROOF_REQUIRED");
    }
    Entry& entry = found->second;
    if (entry.reservation.state() == ledger::v1::Reservation::STATE_HELD) {
      entry.release = *request;
      entry.reservation.set_state(ledger::v1::Reservation::STATE_RELEASED);
      changed_.NotifyAll();
    } else if (entry.reservation.state() != ledger::v1::Reservation::STATE_RELEASED) {
      return Fail(absl::StatusCode::kFailedPrecondition, "RESERVATION_CLOSED");
    }
    *response->mutable_reservation() = entry.reservation;
    return grpc::Status::OK;
  }

  grpc::Status Transact(grpc::ServerContext* context,
                        grpc::ServerReaderWriter<ledger::v1::TransactResponse,
                                                 ledger::v1::TransactRequest>* stream) override {
    ledger::v1::TransactRequest message;
    while (stream->Read(&message)) {
      for (const auto& operation : message.operations()) {
        ledger::v1::TransactResponse answers;
        auto& answer = *answers.add_answers();
        answer.set_number(operation.number());
        const grpc::Status status = Carry(context, operation, answer);
        if (!status.ok()) answer.mutable_error()->ParseFromString(status.error_details());
        {
          base::MutexLock lock(mutex_);
          while (silent_) changed_.Wait(mutex_);
        }
        stream->Write(answers);
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status CloseOwner(grpc::ServerContext*, const ledger::v1::CloseOwnerRequest* request,
                          ledger::v1::CloseOwnerResponse*) override {
    base::MutexLock lock(mutex_);
    closed_owners_.push_back(request->owner());
    changed_.NotifyAll();
    return grpc::Status::OK;
  }

 private:
  grpc::Status Carry(grpc::ServerContext* context,
                     const ledger::v1::TransactRequest::Operation& operation,
                     ledger::v1::TransactResponse::Answer& answer) {
    if (operation.has_reserve()) {
      return Reserve(context, &operation.reserve(), answer.mutable_reserve());
    }
    if (operation.has_settle()) {
      return Settle(context, &operation.settle(), answer.mutable_settle());
    }
    return Release(context, &operation.release(), answer.mutable_release());
  }

  static int64_t Nanos(int64_t pico) { return (pico + 999) / 1'000; }

  static grpc::Status Fail(absl::StatusCode code, absl::string_view reason) {
    return rpc::ToGrpcStatus(base::Error(code, reason, "said the fake ledger"), "request-0");
  }

  static int64_t CostOf(const Entry& entry) {
    if (entry.settle.outcome_unknown()) return entry.reservation.held().usd_nanos();
    if (entry.settle.has_cost_usd_nanos()) return entry.settle.cost_usd_nanos();
    const ledger::v1::TokenCounts& tokens = entry.settle.tokens();
    return Nanos(tokens.input() * kInputPico + tokens.output() * kOutputPico);
  }

  Entry Decide(const ledger::v1::ReserveRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    int64_t posted = 0;
    int64_t held = 0;
    for (const auto& [key, entry] : entries_) {
      posted += entry.reservation.settled().usd_nanos();
      const bool open = entry.reservation.state() == ledger::v1::Reservation::STATE_HELD;
      if (open) held += entry.reservation.held().usd_nanos();
    }
    Entry entry;
    entry.request = request;
    entry.reservation.set_key(request.key());
    const int64_t free = limit_ - posted - held;
    if (free >= request.minimum().usd_nanos()) {
      entry.reservation.set_state(ledger::v1::Reservation::STATE_HELD);
      *entry.reservation.mutable_held() = request.amounts();
      entry.reservation.mutable_held()->set_usd_nanos(
          std::min(free, request.amounts().usd_nanos()));
      return entry;
    }
    entry.reservation.set_state(ledger::v1::Reservation::STATE_DENIED);
    ledger::v1::Denial& denial = *entry.reservation.mutable_denial();
    denial.set_cause(free + held >= request.minimum().usd_nanos()
                         ? ledger::v1::Denial::CAUSE_HELD_BY_SIBLINGS
                         : ledger::v1::Denial::CAUSE_LIMIT);
    denial.set_requested(request.minimum().usd_nanos());
    denial.mutable_balance()->mutable_budget()->set_name("budgets/b1");
    denial.mutable_balance()->mutable_budget()->set_scope(request.scopes().project());
    denial.mutable_balance()->set_remaining(free);
    return entry;
  }

  const std::string address_;
  base::Mutex mutex_;
  base::CondVar changed_;
  int64_t limit_ ABSL_GUARDED_BY(mutex_) = 1'000'000'000'000;
  int quotes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool price_known_ ABSL_GUARDED_BY(mutex_) = true;
  bool silent_ ABSL_GUARDED_BY(mutex_) = false;
  int releases_refused_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> closed_owners_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace slipway::models
