#include <CLI/CLI.hpp>

#include "lib/base/exit_code.h"
#include "lib/log/log.h"
#include "lib/rpc/signals.h"
#include "tools/bench/dispatch_bench.h"
#include "tools/bench/ledger_bench.h"
#include "tools/bench/ledger_scale.h"
#include "tools/bench/models_bench.h"
#include "tools/bench/own_server.h"
#include "tools/bench/review_bench.h"

int main(int argc, char** argv) {
  slipway::rpc::PrepareProcess();
  slipway::log::Init("bench");
  CLI::App app("Measures Slipway on this machine, beside its peers.", "slipway-bench");
  app.require_subcommand(1);
  absl::Status status;
  slipway::bench::LedgerBenchOptions ledger;
  std::string output = "table";
  double seconds = 2;
  CLI::App* const ledger_command = app.add_subcommand("ledger", "The ledger under full load");
  ledger_command->add_option("-o,--output", output, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  ledger_command->add_option("--rounds", ledger.rounds, "Slices of each contestant");
  ledger_command->add_option("--seconds", seconds, "Length of a slice");
  ledger_command->add_option("--in-flight", ledger.in_flight, "Operations under way");
  ledger_command->add_option("--directory", ledger.directory, "Where the databases are made");
  ledger_command->add_flag("!--no-peers", ledger.peers, "Only the ledger and the echo");
  ledger_command->callback([&] {
    ledger.json = output == "json";
    ledger.slice = absl::Seconds(seconds);
    status = slipway::bench::RunLedgerBench(ledger);
  });

  slipway::bench::LedgerScaleOptions scale;
  CLI::App* const scale_command =
      app.add_subcommand("ledger-scale", "A ledger that has recorded millions of calls");
  scale_command->add_option("-o,--output", output, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  scale_command->add_option("--rows", scale.rows, "Calls that it has recorded");
  scale_command->add_option("--directory", scale.directory, "Where the database is made");
  scale_command->callback([&] {
    scale.json = output == "json";
    status = slipway::bench::RunLedgerScale(scale);
  });

  slipway::bench::AddReviewCommand(app, status);
  slipway::bench::AddModelsCommand(app, status);
  slipway::bench::AddDispatchCommand(app, status);
  slipway::bench::AddServeCommand(app, status);
  CLI11_PARSE(app, argc, argv);
  return slipway::base::ExitCode(status);
}
