#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/http/client.h"
#include "services/dispatcher/domain/agent_fleet.h"
#include "services/dispatcher/domain/agent_tokens.h"
#include "services/dispatcher/fleet/docker_host.h"
#include "services/dispatcher/fleet/kubernetes_host.h"
#include "services/dispatcher/fleet/process_fleet.h"

namespace slipway::dispatcher {

// Every host whose agents the dispatcher starts: child processes, the containers of engines and the
// jobs of clusters, each a host of its own that the others do not wait for.
class HostFleet final : public AgentFleet {
 public:
  struct Drivers {
    std::vector<DockerHost::Options> engines;
    std::vector<KubernetesHost::Options> clusters;
  };

  HostFleet(ProcessFleet& processes, Drivers drivers, AgentTokens& tokens, base::Clock& clock);

  // What drivers report; before Adopt.
  void set_reports(ContainerHost::Reports reports) { reports_ = std::move(reports); }

  // Containers and jobs of agents that are still needed live on. Idempotent.
  void Stop();

  void Start(Order order) override;
  void Retire(const std::string& agent) override;
  void Adopt(const std::vector<StartIntent>& intents) override;

 private:
  ProcessFleet& processes_;
  ContainerHost::Reports reports_;
  http::Client client_;
  std::map<std::string, std::unique_ptr<ContainerHost>> hosts_;  // By name.
};

}  // namespace slipway::dispatcher
