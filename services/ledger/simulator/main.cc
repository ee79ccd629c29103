#include <CLI/CLI.hpp>

#include "lib/log/log.h"
#include "services/ledger/simulator/campaign.h"

int main(int argc, char** argv) {
  using slipway::ledger::simulator::Campaign;
  slipway::log::Init("ledger-sim", {.level = slipway::log::Level::kError});
  Campaign::Options options;
  CLI::App app(
      "Runs random histories of the ledger on a disk that fails and a clock that jumps, and "
      "compares every answer and every table with an independent model.");
  app.add_option("--seeds", options.seeds, "How many histories.")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "The first seed; alone: only this one.");
  app.add_option("--steps", options.steps, "The length of a history.")->check(CLI::PositiveNumber);
  app.add_option("--threads", options.threads, "Histories at a time.")->check(CLI::Range(1, 64));
  app.add_option("--mutant", options.mutant, "Break the ledger so, to see it found.");
  app.add_flag("--verbose", options.verbose, "Print the trace of each history.");
  CLI11_PARSE(app, argc, argv);
  if (app.count("--seed") > 0 && app.count("--seeds") == 0) options.seeds = 1;
  return Campaign(options).Run();
}
