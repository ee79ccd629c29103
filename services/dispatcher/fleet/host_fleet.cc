#include "services/dispatcher/fleet/host_fleet.h"

#include <utility>

namespace slipway::dispatcher {

HostFleet::HostFleet(ProcessFleet& processes, Drivers drivers, AgentTokens& tokens,
                     base::Clock& clock)
    : processes_(processes) {
  for (DockerHost::Options& engine : drivers.engines) {
    std::string name = engine.name;
    hosts_[std::move(name)] =
        std::make_unique<DockerHost>(std::move(engine), client_, tokens, clock);
  }
  for (KubernetesHost::Options& cluster : drivers.clusters) {
    std::string name = cluster.name;
    hosts_[std::move(name)] =
        std::make_unique<KubernetesHost>(std::move(cluster), client_, tokens, clock);
  }
}

void HostFleet::Stop() {
  for (const auto& [name, host] : hosts_) host->Stop();
}

void HostFleet::Start(Order order) {
  const auto host = hosts_.find(order.host);
  if (host != hosts_.end()) return host->second->Start(std::move(order));
  processes_.Start(std::move(order));
}

void HostFleet::Retire(const std::string& agent) {
  // Whoever does not know the agent has nothing to do.
  processes_.Retire(agent);
  for (const auto& [name, host] : hosts_) host->Retire(agent);
}

void HostFleet::Adopt(const std::vector<StartIntent>& intents) {
  std::map<std::string, std::vector<StartIntent>> by_host;
  for (const StartIntent& intent : intents) by_host[intent.host].push_back(intent);
  for (const auto& [name, host] : hosts_) host->Begin(by_host[name], reports_);
}

}  // namespace slipway::dispatcher
