#include "lib/log/log.h"
#include "lib/simulation/campaign.h"
#include "services/ledger/simulator/simulation.h"

int main(int argc, char** argv) {
  slipway::log::Init("ledger-sim", {.level = slipway::log::Level::kError});
  return slipway::simulation::RunCampaign(argc, argv, slipway::ledger::simulator::Simulated());
}
