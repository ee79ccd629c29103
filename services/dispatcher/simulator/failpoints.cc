#include "services/dispatcher/simulator/failpoints.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "services/dispatcher/simulator/failpoint.h"
#include "services/dispatcher/simulator/simulation.h"

namespace slipway::dispatcher::simulator {
namespace {

constexpr int kSteps = 120;

Failpoint FailpointOf(uint64_t index) {
  return {.at = static_cast<int64_t>(index / kFailpointFaultCount) + 1,
          .fault = static_cast<FailpointFault>(index % kFailpointFaultCount)};
}

}  // namespace

const char* NameOf(Boundary boundary) {
  constexpr const char* kNames[kBoundaryCount] = {"decision", "commit", "call",
                                                  "message of an agent", "message to an agent"};
  return kNames[static_cast<int>(boundary)];
}

const char* NameOf(FailpointFault fault) {
  constexpr const char* kNames[kFailpointFaultCount] = {"kill", "delay", "error",
                                                        "applied but told failed"};
  return kNames[static_cast<int>(fault)];
}

FailpointMatrix::FailpointMatrix(uint64_t seed, int steps, Mutant mutant)
    : seed_(seed), steps_(steps), mutant_(mutant) {
  Simulation clean({.seed = seed_, .steps = steps_, .failpoint = Failpoint()});
  const absl::Status status = clean.Run();
  clean_coverage_ = clean.coverage();
  if (status.ok()) boundaries_ = clean.boundaries();
}

uint64_t FailpointMatrix::size() const {
  return static_cast<uint64_t>(boundaries_) * kFailpointFaultCount;
}

simulation::Campaign::Result FailpointMatrix::Collect(int threads, uint64_t every,
                                                      uint64_t first) const {
  const auto index_of = [every, first](uint64_t run) { return first + run * every; };
  const simulation::Subject subject{
      .program = "slipway-dispatcher-sim",
      .purpose = "",
      .steps = steps_,
      .mutants = {"none"},
      .run = [&](const simulation::History& history) {
        const Failpoint failpoint = FailpointOf(index_of(history.seed));
        Simulation simulation(
            {.seed = seed_, .steps = steps_, .mutant = mutant_, .failpoint = failpoint});
        absl::Status status = simulation.Run();
        if (!status.ok()) {
          status = absl::DataLossError(absl::StrCat(
              "--seed ", seed_, " --only ", index_of(history.seed), " (", NameOf(failpoint.fault),
              " at boundary ", failpoint.at, "): ", status.message()));
        }
        return simulation::Outcome{std::move(status), simulation.coverage(), simulation.digest()};
      }};
  const uint64_t runs = first >= size() ? 0 : (size() - first + every - 1) / every;
  return simulation::Campaign(subject, {.seed = 0, .seeds = runs, .threads = threads}).Collect();
}

int RunFailpoints(int argc, char** argv) {
  uint64_t seed = 1;
  uint64_t every = 1;
  int64_t only = -1;
  int threads = 2;
  CLI::App app(
      "Puts every fault at every boundary of one history of the dispatcher: a decision, a "
      "commit, a call, a message; killed, late by two leases, failed, or done but told "
      "failed. Holds each against I1 to I16.");
  app.add_option("--seed", seed, "Decides the history");
  app.add_option("--every", every, "Runs one in so many")->check(CLI::Range(1, 1'000'000));
  app.add_option("--only", only, "Runs this one alone");
  app.add_option("--threads", threads, "At once")->check(CLI::Range(1, 256));
  CLI11_PARSE(app, argc, argv);
  const FailpointMatrix matrix(seed, kSteps);
  if (matrix.boundaries() == 0) {
    printf("the history of seed %llu fails without a fault\n",
           static_cast<unsigned long long>(seed));
    return 1;
  }
  const simulation::Campaign::Result result =
      only >= 0 ? matrix.Collect(1, matrix.size(), static_cast<uint64_t>(only))
                : matrix.Collect(threads, every);
  for (const auto& [what, count] : result.coverage) {
    printf("%12lld  %s\n", static_cast<long long>(count), what.c_str());
  }
  for (const std::string& failure : result.failures) printf("FAILED: %s\n", failure.c_str());
  printf("%lld boundaries, %llu of %llu faults tried, %zu failed\n",
         static_cast<long long>(matrix.boundaries()), static_cast<unsigned long long>(result.run),
         static_cast<unsigned long long>(matrix.size()), result.failures.size());
  return result.failures.empty() ? 0 : 1;
}

}  // namespace slipway::dispatcher::simulator
