#include "tools/bench/ledger_client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "tools/bench/bench_echo.grpc.pb.h"

namespace slipway::bench {
namespace {

namespace pb = ledger::v1;

constexpr absl::Duration kStartTimeout = absl::Seconds(60);
constexpr absl::Duration kCallTimeout = absl::Seconds(60);

// The two calls of one worker, in turn.
struct Pair {
  std::string key;
  bool held = false;
};

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
    : stub_(pb::LedgerService::NewStub(rpc::MakeChannel(address))) {}

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
  std::vector<Pair> pairs(static_cast<size_t>(in_flight));
  return RunClosedLoop(in_flight, length, [this, &pairs](int worker, Done done) {
    Pair& pair = pairs[static_cast<size_t>(worker)];
    if (pair.held) {
      pair.held = false;
      rpc::CallUnaryAsync<Stub::async_interface, Stub::async_interface, pb::SettleRequest,
                          pb::SettleResponse>(
          *stub_->async(), &Stub::async_interface::Settle, SettleRequestOf(pair.key),
          {.timeout = kCallTimeout},
          [done = std::move(done)](absl::StatusOr<pb::SettleResponse> settled) mutable {
            std::move(done)(settled.status());
          });
      return;
    }
    pair.key = NewKey();
    rpc::CallUnaryAsync<Stub::async_interface, Stub::async_interface, pb::ReserveRequest,
                        pb::ReserveResponse>(
        *stub_->async(), &Stub::async_interface::Reserve, ReserveRequestOf(pair.key),
        {.timeout = kCallTimeout},
        [&pair, done = std::move(done)](absl::StatusOr<pb::ReserveResponse> reserved) mutable {
          if (!reserved.ok()) return std::move(done)(reserved.status());
          pair.held = reserved->reservation().state() == pb::Reservation::STATE_HELD;
          if (pair.held) return std::move(done)(absl::OkStatus());
          std::move(done)(absl::InternalError("the load was denied its money"));
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
