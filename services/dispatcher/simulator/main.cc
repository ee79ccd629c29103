#include "lib/log/log.h"
#include "lib/simulation/campaign.h"
#include "services/dispatcher/simulator/simulation.h"

int main(int argc, char** argv) {
  slipway::log::Init("dispatcher-sim", {.level = slipway::log::Level::kError});
  return slipway::simulation::RunCampaign(argc, argv, slipway::dispatcher::simulator::Simulated());
}
