#include "services/dispatcher/fleet/host_fleet.h"

#include <utility>

namespace slipway::dispatcher {

HostFleet::HostFleet(ProcessFleet& processes, std::vector<DockerHost::Options> engines,
                     AgentTokens& tokens, base::Clock& clock)
    : processes_(processes) {
  for (DockerHost::Options& engine : engines) {
    std::string name = engine.name;
    engines_[std::move(name)] =
        std::make_unique<DockerHost>(std::move(engine), client_, tokens, clock);
  }
}

void HostFleet::Stop() {
  for (const auto& [name, engine] : engines_) engine->Stop();
}

void HostFleet::Start(Order order) {
  const auto engine = engines_.find(order.host);
  if (engine != engines_.end()) return engine->second->Start(std::move(order));
  processes_.Start(std::move(order));
}

void HostFleet::Retire(const std::string& agent) {
  // Whoever does not know the agent has nothing to do.
  processes_.Retire(agent);
  for (const auto& [name, engine] : engines_) engine->Retire(agent);
}

void HostFleet::Adopt(const std::vector<StartIntent>& intents) {
  std::map<std::string, std::vector<StartIntent>> by_host;
  for (const StartIntent& intent : intents) by_host[intent.host].push_back(intent);
  for (const auto& [name, engine] : engines_) engine->Begin(by_host[name], reports_);
}

}  // namespace slipway::dispatcher
