#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/dispatcher/simulator/simulation.h"

namespace slipway::dispatcher::simulator {

// Many histories, on several threads, and what they covered.
class Campaign final {
 public:
  struct Options {
    uint64_t seed = 1;
    uint64_t seeds = 1'000;
    int steps = 300;
    int threads = 2;
    std::string mutant = "none";
    bool verbose = false;
  };

  struct Result {
    Coverage coverage;
    std::vector<std::string> failures;  // The first of each thread, the lowest seed first.
    uint64_t run = 0;
    uint64_t digest = 0;  // Of all traces, in any order.
  };

  explicit Campaign(Options options) : options_(std::move(options)) {}

  // Runs all, or until one fails.
  Result Collect() const;

  // Runs all, prints what happened, and returns the exit code: 1 when a history failed.
  int Run() const;

 private:
  const Options options_;
};

}  // namespace slipway::dispatcher::simulator
