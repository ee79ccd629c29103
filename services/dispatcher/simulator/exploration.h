#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/dispatcher/simulator/small_world.h"

namespace slipway::dispatcher::simulator {

// Breadth first through everything that can happen in a small world, up to a depth: each state that
// was not seen before is checked, and from some of them the run is brought to its end.
class Exploration final {
 public:
  struct Options {
    SmallWorld::Options world;
    int depth = 10;               // Choices.
    int64_t states_max = 20'000;  // The search stops there, and says so.
    int64_t complete_every = 20;  // States from which the run is completed.
    int threads = 1;
  };

  struct Result {
    int64_t states = 0;       // That differ.
    int64_t transitions = 0;  // Choices that were carried out.
    int64_t completed = 0;
    std::vector<int64_t> by_depth;
    bool exhausted = false;         // Every state up to the depth was seen.
    std::string breach;             // Empty: everything holds.
    std::vector<std::string> path;  // The choices that led to it.
  };

  explicit Exploration(const Options& options) : options_(options) {}

  Result Run() const;

 private:
  const Options options_;
};

// The program's mode: "explore --depth N --states N --tasks N --mutant NAME --threads N".
int RunExploration(int argc, char** argv);

}  // namespace slipway::dispatcher::simulator
