#include <string>

#include "lib/log/log.h"
#include "lib/simulation/campaign.h"
#include "services/dispatcher/simulator/exploration.h"
#include "services/dispatcher/simulator/failpoints.h"
#include "services/dispatcher/simulator/simulation.h"

int main(int argc, char** argv) {
  using namespace slipway::dispatcher::simulator;  // NOLINT(build/namespaces)
  slipway::log::Init("dispatcher-sim", {.level = slipway::log::Level::kError});
  if (argc > 1 && std::string(argv[1]) == "explore") return RunExploration(argc - 1, argv + 1);
  if (argc > 1 && std::string(argv[1]) == "failpoints") return RunFailpoints(argc - 1, argv + 1);
  return slipway::simulation::RunCampaign(argc, argv, Simulated());
}
