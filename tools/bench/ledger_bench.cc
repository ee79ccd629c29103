#include "tools/bench/ledger_bench.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "lib/base/status_macros.h"
#include "tools/bench/ledger_client.h"
#include "tools/bench/server_process.h"

namespace slipway::bench {

absl::Status RunLedgerBench(const LedgerBenchOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ScratchDirectory> directory,
                   ScratchDirectory::Make(options.directory));
  ASSIGN_OR_RETURN(ServerProcess ledger, ServerProcess::StartLedger(ProgramBeside("slipway-ledger"),
                                                                    directory->File("ledger.sock"),
                                                                    directory->File("ledger.db")));
  ASSIGN_OR_RETURN(ServerProcess echo,
                   ServerProcess::StartOwn("echo", directory->File("echo.sock"), ""));
  ASSIGN_OR_RETURN(
      ServerProcess naive,
      ServerProcess::StartOwn("naive", directory->File("naive.sock"), directory->File("naive.db")));
  LedgerClient client(ledger.address());
  LedgerClient naive_client(naive.address());
  RETURN_IF_ERROR(client.WaitReady());
  RETURN_IF_ERROR(naive_client.WaitReady());
  RETURN_IF_ERROR(client.SetBudgets(int64_t{1} << 60));
  for (int round = 0; round < options.rounds; ++round) {
    ASSIGN_OR_RETURN(const Measurement ours, client.RunPairs(options.in_flight, options.slice));
    ASSIGN_OR_RETURN(const Measurement empty,
                     RunEcho(echo.address(), options.in_flight, options.slice));
    Measurement simple;
    if (options.peers) {
      ASSIGN_OR_RETURN(simple, naive_client.RunPairs(options.in_flight, options.slice));
    }
    absl::PrintF("ledger %.0f/s p50 %.0f us p99 %.0f us; echo %.0f/s; ratio %.3f; naive %.0f/s\n",
                 ours.OperationsPerSecond(), Percentile(ours.latencies_us, 0.5),
                 Percentile(ours.latencies_us, 0.99), empty.OperationsPerSecond(),
                 ours.OperationsPerSecond() / empty.OperationsPerSecond(),
                 simple.OperationsPerSecond());
  }
  RETURN_IF_ERROR(ledger.Stop());
  RETURN_IF_ERROR(naive.Stop());
  return echo.Stop();
}

}  // namespace slipway::bench
