#pragma once

#include <cstdint>

#include "lib/simulation/campaign.h"
#include "services/dispatcher/simulator/world.h"

namespace slipway::dispatcher::simulator {

// Every fault at every boundary of one history in which nothing else goes wrong.
class FailpointMatrix final {
 public:
  // Runs the history without a fault first, to count its boundaries. With a mutant the dispatcher
  // is broken in the others.
  FailpointMatrix(uint64_t seed, int steps, Mutant mutant = Mutant::kNone);

  int64_t boundaries() const { return boundaries_; }
  const Coverage& clean_coverage() const { return clean_coverage_; }
  // How many histories the matrix has.
  uint64_t size() const;

  // Runs one in `every` of them, from the `first` on.
  simulation::Campaign::Result Collect(int threads, uint64_t every, uint64_t first = 0) const;

 private:
  const uint64_t seed_;
  const int steps_;
  const Mutant mutant_;
  int64_t boundaries_ = 0;
  Coverage clean_coverage_;
};

// `slipway-dispatcher-sim failpoints`; returns the exit code: 1 when a history failed.
int RunFailpoints(int argc, char** argv);

}  // namespace slipway::dispatcher::simulator
