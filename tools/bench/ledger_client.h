#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "slipway/ledger/v1/ledger_service.grpc.pb.h"
#include "tools/bench/closed_loop.h"

namespace slipway::bench {

// The same five scopes for every operation: organisation, project, role, plan, task.
inline constexpr char kProject[] = "projects/bench";
inline constexpr char kRole[] = "builder";
inline constexpr char kPlan[] = "projects/bench/plans/p";
inline constexpr char kTask[] = "projects/bench/plans/p/tasks/t";

// What an operation holds and what it then costs, in nano-USD.
inline constexpr int64_t kHeldNanos = 2'000'000;
inline constexpr int64_t kSpentNanos = 1'234'567;

// Calls a ledger over gRPC.
class LedgerClient final {
 public:
  explicit LedgerClient(const std::string& address);

  // Waits until the server answers.
  absl::Status WaitReady();

  // Sets the limit of every scope and window: 15 budgets that count money.
  absl::Status SetBudgets(int64_t limit);

  // Sets one budget that counts calls.
  absl::Status SetCallLimit(const std::string& scope, int64_t limit);

  // Reserves and settles in turn by calls, so that half of the operations are of either kind. Every
  // key is new. Fails when anything is denied: the load is then not the one that was asked for.
  absl::StatusOr<Measurement> RunPairs(int in_flight, absl::Duration length);

  // The same operations on one stream, by the client that slipway-models has.
  absl::StatusOr<Measurement> RunStreamPairs(int in_flight, absl::Duration length);

  using Stub = ledger::v1::LedgerService::StubInterface;
  Stub& stub() { return *stub_; }

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<ledger::v1::LedgerService::Stub> stub_;
};

// The request for a call of the load.
ledger::v1::ReserveRequest ReserveRequestOf(const std::string& key);
ledger::v1::SettleRequest SettleRequestOf(const std::string& key);

// A key that was never used before and lands anywhere in an index, as ids of callers do.
std::string NewKey();

// Keeps an empty unary call under way `in_flight` times.
absl::StatusOr<Measurement> RunEcho(const std::string& address, int in_flight,
                                    absl::Duration length);

}  // namespace slipway::bench
