#include "services/dispatcher/simulator/campaign.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <thread>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace slipway::dispatcher::simulator {
namespace {

Mutant MutantNamed(const std::string& name) {
  for (int i = 0; i < kMutantCount; ++i) {
    if (name == NameOf(static_cast<Mutant>(i))) return static_cast<Mutant>(i);
  }
  return Mutant::kNone;
}

}  // namespace

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
      Simulation simulation({.seed = options_.seed + index,
                             .steps = options_.steps,
                             .mutant = MutantNamed(options_.mutant),
                             .verbose = options_.verbose});
      const absl::Status status = simulation.Run();
      base::MutexLock lock(mutex);
      for (const auto& [what, count] : simulation.coverage()) result.coverage[what] += count;
      ++result.run;
      result.digest += simulation.digest();
      if (status.ok()) continue;
      failed = true;
      failures[options_.seed + index] = std::string(status.message());
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < options_.threads; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  for (auto& [seed, text] : failures) result.failures.push_back(std::move(text));
  return result;
}

int Campaign::Run() const {
  if (MutantNamed(options_.mutant) == Mutant::kNone && options_.mutant != "none") {
    std::fprintf(stderr, "there is no mutant '%s'; there are:", options_.mutant.c_str());
    for (int i = 1; i < kMutantCount; ++i) {
      std::fprintf(stderr, " %s", NameOf(static_cast<Mutant>(i)));
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
    std::printf("replay it: slipway-dispatcher-sim --seed %s --steps %d%s%s --verbose\n",
                seed.c_str(), options_.steps, options_.mutant == "none" ? "" : " --mutant ",
                options_.mutant == "none" ? "" : options_.mutant.c_str());
  }
  return result.failures.empty() ? 0 : 1;
}

}  // namespace slipway::dispatcher::simulator
