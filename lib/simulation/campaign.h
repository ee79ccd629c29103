#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace slipway::simulation {

// How often what happened, by name.
using Coverage = std::map<std::string, int64_t>;

// One history, which the seed decides.
struct History {
  uint64_t seed = 1;
  int steps = 0;
  int mutant = 0;        // Of Subject::mutants; 0 is the subject as it is.
  bool verbose = false;  // Prints its trace on stdout.
};

struct Outcome {
  absl::Status status;  // DATA_LOSS: "seed N ..." and what was breached.
  Coverage coverage;
  uint64_t digest = 0;  // Of its trace.
};

// What is simulated.
struct Subject {
  const char* program;               // "slipway-ledger-sim".
  const char* purpose;               // One sentence for --help.
  int steps;                         // The length of a history unless told otherwise.
  std::vector<const char*> mutants;  // What can be broken to see it found; the first is "none".
  std::function<Outcome(const History&)> run;  // Called by several threads at a time.
};

// Many histories, on several threads, and what they covered.
class Campaign final {
 public:
  struct Options {
    uint64_t seed = 1;
    uint64_t seeds = 1'000;
    int steps = 0;  // 0: as many as the subject says.
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

  Campaign(const Subject& subject, Options options);

  // Runs all, or until one fails. The mutant has to be one of the subject's.
  Result Collect() const;

  // Runs all, prints what happened, and returns the exit code: 1 when a history failed, 2 when
  // there is no such mutant.
  int Run() const;

 private:
  int MutantNamed() const;  // -1: there is none.

  const Subject& subject_;
  const Options options_;
};

// The main function of a program that runs histories of `subject`.
int RunCampaign(int argc, char** argv, const Subject& subject);

}  // namespace slipway::simulation
