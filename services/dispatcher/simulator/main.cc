#include <CLI/CLI.hpp>

#include "lib/log/log.h"
#include "services/dispatcher/simulator/campaign.h"

int main(int argc, char** argv) {
  using slipway::dispatcher::simulator::Campaign;
  slipway::log::Init("dispatcher-sim", {.level = slipway::log::Level::kError});
  Campaign::Options options;
  CLI::App app(
      "Runs random histories of the dispatcher, its agents and its people on a disk that fails, a "
      "network that loses and repeats, and clocks that jump, and holds each against I1 to I16.");
  app.add_option("--seeds", options.seeds, "How many histories.")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "The first seed; alone: only this one.");
  app.add_option("--steps", options.steps, "The length of a history.")->check(CLI::PositiveNumber);
  app.add_option("--threads", options.threads, "Histories at a time.")->check(CLI::Range(1, 64));
  app.add_option("--mutant", options.mutant, "Break it so, to see it found.");
  app.add_flag("--verbose", options.verbose, "Print the events of each history.");
  CLI11_PARSE(app, argc, argv);
  if (app.count("--seed") > 0 && app.count("--seeds") == 0) options.seeds = 1;
  return Campaign(options).Run();
}
