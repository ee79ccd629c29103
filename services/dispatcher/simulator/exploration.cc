#include "services/dispatcher/simulator/exploration.h"

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_set>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace slipway::dispatcher::simulator {
namespace {

// Which choices, by their numbers, lead to a state: worlds cannot be copied, but made again.
using Path = std::vector<uint8_t>;

std::unique_ptr<SmallWorld> WorldAt(const SmallWorld::Options& options, const Path& path) {
  auto world = std::make_unique<SmallWorld>(options);
  for (const uint8_t choice : path) world->Choose(choice);
  return world;
}

// What all threads that go through one level share.
class Level final {
 public:
  Level(const Exploration::Options& options, std::unordered_set<uint64_t>& seen,
        Exploration::Result& result)
      : options_(options), seen_(seen), result_(result) {}

  // The states that follow from those of `from`.
  std::vector<Path> Run(const std::vector<Path>& from) {
    std::atomic<size_t> next = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < options_.threads; ++i) {
      threads.emplace_back([&] {
        for (size_t at; !IsOver() && (at = next.fetch_add(1)) < from.size();) Follow(from[at]);
      });
    }
    for (std::thread& thread : threads) thread.join();
    return std::move(reached_);
  }

 private:
  bool IsOver() {
    base::MutexLock lock(mutex_);
    return !result_.breach.empty() || result_.states >= options_.states_max;
  }

  void Follow(const Path& path) {
    const size_t choices = WorldAt(options_.world, path)->Choices().size();
    for (size_t i = 0; i < choices && !IsOver(); ++i) {
      Path longer = path;
      longer.push_back(static_cast<uint8_t>(i));
      const std::unique_ptr<SmallWorld> world = WorldAt(options_.world, longer);
      const uint64_t digest = std::hash<std::string>()(world->Describe());
      bool completes = false;
      {
        base::MutexLock lock(mutex_);
        ++result_.transitions;
        if (world->breach().empty()) {
          if (!seen_.insert(digest).second) continue;
          completes = result_.states++ % options_.complete_every == 0;
          reached_.push_back(longer);
        }
      }
      if (completes) world->Complete();
      base::MutexLock lock(mutex_);
      result_.completed += completes;
      if (!world->breach().empty() && result_.breach.empty()) Tell(longer, world->breach());
    }
  }

  void Tell(const Path& path, const std::string& breach) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    result_.breach = breach;
    SmallWorld world(options_.world);
    for (const uint8_t choice : path) {
      result_.path.push_back(world.Choices().at(choice));
      world.Choose(choice);
    }
  }

  const Exploration::Options& options_;
  base::Mutex mutex_;
  std::unordered_set<uint64_t>& seen_ ABSL_GUARDED_BY(mutex_);
  Exploration::Result& result_ ABSL_GUARDED_BY(mutex_);
  std::vector<Path> reached_ ABSL_GUARDED_BY(mutex_);
};

void Print(const Exploration::Options& options, const Exploration::Result& result, double seconds) {
  for (size_t depth = 0; depth < result.by_depth.size(); ++depth) {
    std::printf("depth %2zu: %lld new states\n", depth,
                static_cast<long long>(result.by_depth[depth]));
  }
  std::printf("%lld states, %lld choices, %lld runs completed in %.1f s; %s\n",
              static_cast<long long>(result.states), static_cast<long long>(result.transitions),
              static_cast<long long>(result.completed), seconds,
              !result.breach.empty() ? "a breach was found"
              : result.exhausted     ? "every state up to this depth"
                                     : "stopped at --states, the last depth is not complete");
  if (result.breach.empty()) return;
  std::printf("FAILED %s\n", result.breach.c_str());
  for (size_t i = 0; i < result.path.size(); ++i) {
    std::printf("%3zu. %s\n", i + 1, result.path[i].c_str());
  }
  if (options.world.mutant == Mutant::kNone) std::printf("the first state is the plan's, stored\n");
}

}  // namespace

Exploration::Result Exploration::Run() const {
  Result result{.states = 1, .by_depth = {1}};
  std::unordered_set<uint64_t> seen;
  seen.insert(std::hash<std::string>()(SmallWorld(options_.world).Describe()));
  std::vector<Path> level = {Path()};
  for (int depth = 0; depth < options_.depth && !level.empty(); ++depth) {
    level = Level(options_, seen, result).Run(level);
    result.by_depth.push_back(static_cast<int64_t>(level.size()));
    if (!result.breach.empty() || result.states >= options_.states_max) return result;
  }
  result.exhausted = true;
  return result;
}

int RunExploration(int argc, char** argv) {
  Exploration::Options options{.threads = 2};
  std::string mutant = "none";
  CLI::App app(
      "Tries every order of messages, losses, crashes and ticks in a small world, on the "
      "real core.",
      "slipway-dispatcher-sim explore");
  app.add_option("--depth", options.depth, "How many choices follow each other");
  app.add_option("--states", options.states_max, "Where the search stops");
  app.add_option("--tasks", options.world.tasks, "Of the plan; each depends on the one before");
  app.add_option("--faults", options.world.faults, "Losses and broken connections in a history");
  app.add_option("--crashes", options.world.crashes, "Of the dispatcher, in a history");
  app.add_option("--ticks", options.world.ticks, "Of ten seconds, in a history");
  app.add_option("--threads", options.threads, "That search");
  app.add_option("--mutant", mutant, "What is broken on purpose");
  CLI11_PARSE(app, argc, argv);
  for (int i = 0; i < kMutantCount; ++i) {
    if (mutant == NameOf(static_cast<Mutant>(i))) options.world.mutant = static_cast<Mutant>(i);
  }
  if (mutant != NameOf(options.world.mutant) || options.threads < 1 || options.world.tasks < 1) {
    std::fprintf(stderr, "there is no mutant '%s', or a number is not positive\n", mutant.c_str());
    return 2;
  }
  const absl::Duration begin = base::RealClock().Elapsed();
  const Exploration::Result result = Exploration(options).Run();
  Print(options, result, absl::ToDoubleSeconds(base::RealClock().Elapsed() - begin));
  return result.breach.empty() ? 0 : 1;
}

}  // namespace slipway::dispatcher::simulator
