#include "tools/bench/ledger_client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "services/models/rpc/ledger_stream.h"
#include "tools/bench/bench_echo.grpc.pb.h"

namespace slipway::bench {
namespace {

namespace pb = ledger::v1;

constexpr absl::Duration kStartTimeout = absl::Seconds(60);
constexpr absl::Duration kCallTimeout = absl::Seconds(60);

// The two operations of one worker, in turn.
struct Pair {
  std::string key;
  bool held = false;
};

template <typename T>
using Answered = absl::AnyInvocable<void(absl::StatusOr<T>) &&>;

// Each worker reserves and settles in turn. An answer must have the state that its request asks
// for: otherwise the load is not the one that was asked for.
template <typename Reserve, typename Settle>
absl::StatusOr<Measurement> RunLoop(int in_flight, absl::Duration length, Reserve reserve,
                                    Settle settle) {
  std::vector<Pair> pairs(static_cast<size_t>(in_flight));
  return RunClosedLoop(in_flight, length, [&](int worker, Done done) {
    Pair& pair = pairs[static_cast<size_t>(worker)];
    const bool held = pair.held;
    const pb::Reservation::State wanted =
        held ? pb::Reservation::STATE_SETTLED : pb::Reservation::STATE_HELD;
    if (!held) pair.key = NewKey();
    Answered<pb::Reservation> answered = [&pair, wanted, done = std::move(done)](
                                             absl::StatusOr<pb::Reservation> reservation) mutable {
      if (!reservation.ok()) return std::move(done)(reservation.status());
      if (reservation->key() != pair.key || reservation->state() != wanted) {
        return std::move(done)(absl::InternalError(
            absl::StrCat("the load was not carried out: ", reservation->ShortDebugString())));
      }
      pair.held = !pair.held;
      std::move(done)(absl::OkStatus());
    };
    if (held) return settle(SettleRequestOf(pair.key), std::move(answered));
    reserve(ReserveRequestOf(pair.key), std::move(answered));
  });
}

}  // namespace

std::string NewKey() { return base::RandomIds().NewOrderedId("call"); }

pb::ReserveRequest ReserveRequestOf(const std::string& key) {
  pb::ReserveRequest request;
  request.set_key(key);
  request.set_kind(pb::Reservation::KIND_CALL);
  request.mutable_scopes()->set_task(kTask);
  request.mutable_scopes()->set_role(kRole);
  request.mutable_amounts()->set_usd_nanos(kHeldNanos);
  request.mutable_lifetime()->set_seconds(600);
  request.set_owner("bench");
  return request;
}

pb::SettleRequest SettleRequestOf(const std::string& key) {
  pb::SettleRequest request;
  request.set_key(key);
  request.mutable_tokens()->set_input(2'345);
  request.mutable_tokens()->set_cache_read(1'024);
  request.mutable_tokens()->set_output(678);
  request.set_provider("bench");
  request.set_model("bench-large");
  request.set_provider_request_id("request-123");
  request.set_cost_usd_nanos(kSpentNanos);
  return request;
}

LedgerClient::LedgerClient(const std::string& address)
    : channel_(rpc::MakeChannel(address)), stub_(pb::LedgerService::NewStub(channel_)) {}

absl::Status LedgerClient::WaitReady() {
  return rpc::CallWithRetry(base::RealClock(), *stub_, &Stub::ListPrices, {},
                            {.timeout = kStartTimeout})
      .status();
}

absl::Status LedgerClient::SetBudgets(int64_t limit) {
  for (const std::string& scope :
       {std::string("organisation"), std::string(kProject),
        absl::StrCat(kProject, "/roles/", kRole), std::string(kPlan), std::string(kTask)}) {
    for (const pb::Window window : {pb::WINDOW_TOTAL, pb::WINDOW_MONTH, pb::WINDOW_DAY}) {
      pb::SetBudgetRequest request;
      request.mutable_budget()->set_scope(scope);
      request.mutable_budget()->set_metric(pb::METRIC_USD_NANOS);
      request.mutable_budget()->set_window(window);
      request.mutable_budget()->set_limit(limit);
      RETURN_IF_ERROR(
          rpc::CallUnary(*stub_, &Stub::SetBudget, request, {.timeout = kCallTimeout}).status());
    }
  }
  return absl::OkStatus();
}

absl::Status LedgerClient::SetCallLimit(const std::string& scope, int64_t limit) {
  pb::SetBudgetRequest request;
  request.mutable_budget()->set_scope(scope);
  request.mutable_budget()->set_metric(pb::METRIC_REQUESTS);
  request.mutable_budget()->set_window(pb::WINDOW_TOTAL);
  request.mutable_budget()->set_limit(limit);
  return rpc::CallUnary(*stub_, &Stub::SetBudget, request, {.timeout = kCallTimeout}).status();
}

absl::StatusOr<Measurement> LedgerClient::RunPairs(int in_flight, absl::Duration length) {
  return RunLoop(
      in_flight, length,
      [this](pb::ReserveRequest request, Answered<pb::Reservation> answered) {
        rpc::CallUnaryAsync<Stub::async_interface, Stub::async_interface, pb::ReserveRequest,
                            pb::ReserveResponse>(
            *stub_->async(), &Stub::async_interface::Reserve, std::move(request),
            {.timeout = kCallTimeout},
            [answered = std::move(answered)](absl::StatusOr<pb::ReserveResponse> reply) mutable {
              if (!reply.ok()) return std::move(answered)(reply.status());
              std::move(answered)(std::move(*reply->mutable_reservation()));
            });
      },
      [this](pb::SettleRequest request, Answered<pb::Reservation> answered) {
        rpc::CallUnaryAsync<Stub::async_interface, Stub::async_interface, pb::SettleRequest,
                            pb::SettleResponse>(
            *stub_->async(), &Stub::async_interface::Settle, std::move(request),
            {.timeout = kCallTimeout},
            [answered = std::move(answered)](absl::StatusOr<pb::SettleResponse> reply) mutable {
              if (!reply.ok()) return std::move(answered)(reply.status());
              std::move(answered)(std::move(*reply->mutable_reservation()));
            });
      });
}

absl::StatusOr<Measurement> LedgerClient::RunStreamPairs(int in_flight, absl::Duration length) {
  using models::LedgerStream;
  LedgerStream stream(channel_, "bench");
  return RunLoop(
      in_flight, length,
      [&stream](pb::ReserveRequest request, Answered<pb::Reservation> answered) {
        LedgerStream::Operation operation;
        *operation.mutable_reserve() = std::move(request);
        stream.Start(
            std::move(operation),
            [answered = std::move(answered)](absl::StatusOr<LedgerStream::Answer> answer) mutable {
              if (!answer.ok()) return std::move(answered)(answer.status());
              std::move(answered)(std::move(*answer->mutable_reserve()->mutable_reservation()));
            });
      },
      [&stream](pb::SettleRequest request, Answered<pb::Reservation> answered) {
        LedgerStream::Operation operation;
        *operation.mutable_settle() = std::move(request);
        stream.Start(
            std::move(operation),
            [answered = std::move(answered)](absl::StatusOr<LedgerStream::Answer> answer) mutable {
              if (!answer.ok()) return std::move(answered)(answer.status());
              std::move(answered)(std::move(*answer->mutable_settle()->mutable_reservation()));
            });
      });
}

absl::StatusOr<Measurement> RunEcho(const std::string& address, int in_flight,
                                    absl::Duration length) {
  using Async = v1::EchoService::StubInterface::async_interface;
  const std::unique_ptr<v1::EchoService::Stub> stub =
      v1::EchoService::NewStub(rpc::MakeChannel(address));
  RETURN_IF_ERROR(rpc::CallWithRetry(base::RealClock(), *stub,
                                     &v1::EchoService::StubInterface::Echo, {},
                                     {.timeout = kStartTimeout})
                      .status());
  return RunClosedLoop(in_flight, length, [&stub](int, Done done) {
    rpc::CallUnaryAsync<Async, Async, v1::EchoRequest, v1::EchoResponse>(
        *stub->async(), &Async::Echo, {}, {.timeout = kCallTimeout},
        [done = std::move(done)](absl::StatusOr<v1::EchoResponse> echoed) mutable {
          std::move(done)(echoed.status());
        });
  });
}

}  // namespace slipway::bench
