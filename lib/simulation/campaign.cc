#include "lib/simulation/campaign.h"

#include <sqlite3.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <thread>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace slipway::simulation {
namespace {

Campaign::Options WithSteps(Campaign::Options options, int steps) {
  if (options.steps == 0) options.steps = steps;
  return options;
}

}  // namespace

Campaign::Campaign(const Subject& subject, Options options)
    : subject_(subject), options_(WithSteps(std::move(options), subject.steps)) {}

int Campaign::MutantNamed() const {
  for (size_t i = 0; i < subject_.mutants.size(); ++i) {
    if (options_.mutant == subject_.mutants[i]) return static_cast<int>(i);
  }
  return -1;
}

Campaign::Result Campaign::Collect() const {
  // One lock for every allocation of every thread would serialise them.
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  Result result;
  base::Mutex mutex;
  std::map<uint64_t, std::string> failures;
  std::atomic<uint64_t> next = 0;
  std::atomic<bool> failed = false;
  const auto work = [&] {
    while (!failed) {
      const uint64_t index = next.fetch_add(1);
      if (index >= options_.seeds) return;
      const Outcome outcome = subject_.run({.seed = options_.seed + index,
                                            .steps = options_.steps,
                                            .mutant = MutantNamed(),
                                            .verbose = options_.verbose});
      base::MutexLock lock(mutex);
      for (const auto& [what, count] : outcome.coverage) result.coverage[what] += count;
      ++result.run;
      result.digest += outcome.digest;
      if (outcome.status.ok()) continue;
      failed = true;
      failures[options_.seed + index] = std::string(outcome.status.message());
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < options_.threads; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  for (auto& [seed, text] : failures) result.failures.push_back(std::move(text));
  return result;
}

int Campaign::Run() const {
  if (MutantNamed() < 0) {
    std::fprintf(stderr, "there is no mutant '%s'; there are:", options_.mutant.c_str());
    for (size_t i = 1; i < subject_.mutants.size(); ++i) {
      std::fprintf(stderr, " %s", subject_.mutants[i]);
    }
    std::fprintf(stderr, "\n");
    return 2;
  }
  const absl::Duration begin = base::RealClock().Elapsed();
  const Result result = Collect();
  const double seconds = absl::ToDoubleSeconds(base::RealClock().Elapsed() - begin);
  for (const auto& [what, count] : result.coverage) {
    std::printf("%12lld  %s\n", static_cast<long long>(count), what.c_str());
  }
  std::printf("%llu histories in %.1f s: %.1f a second on %d threads; digest %016llx\n",
              static_cast<unsigned long long>(result.run), seconds,
              static_cast<double>(result.run) / seconds, options_.threads,
              static_cast<unsigned long long>(result.digest));
  for (const std::string& failure : result.failures) {
    std::printf("FAILED %s\n", failure.c_str());
    const std::string seed = failure.substr(5, failure.find(' ', 5) - 5);
    std::printf("replay it: %s --seed %s --steps %d%s%s --verbose\n", subject_.program,
                seed.c_str(), options_.steps, options_.mutant == "none" ? "" : " --mutant ",
                options_.mutant == "none" ? "" : options_.mutant.c_str());
  }
  return result.failures.empty() ? 0 : 1;
}

int RunCampaign(int argc, char** argv, const Subject& subject) {
  Campaign::Options options;
  options.steps = subject.steps;
  CLI::App app(subject.purpose, subject.program);
  app.add_option("--seeds", options.seeds, "How many histories.")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "The first seed; alone: only this one.");
  app.add_option("--steps", options.steps, "The length of a history.")->check(CLI::PositiveNumber);
  app.add_option("--threads", options.threads, "Histories at a time.")->check(CLI::Range(1, 64));
  app.add_option("--mutant", options.mutant, "Break it so, to see it found.");
  app.add_flag("--verbose", options.verbose, "Print the trace of each history.");
  CLI11_PARSE(app, argc, argv);
  if (app.count("--seed") > 0 && app.count("--seeds") == 0) options.seeds = 1;
  return Campaign(subject, options).Run();
}

}  // namespace slipway::simulation
