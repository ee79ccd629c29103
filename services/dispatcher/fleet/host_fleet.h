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
#include "services/dispatcher/fleet/process_fleet.h"

namespace slipway::dispatcher {

// Every host whose agents the dispatcher starts: child processes and the containers of engines,
// each engine a host of its own that the others do not wait for.
class HostFleet final : public AgentFleet {
 public:
  HostFleet(ProcessFleet& processes, std::vector<DockerHost::Options> engines, AgentTokens& tokens,
            base::Clock& clock);

  // What drivers report; before Adopt.
  void set_reports(DockerHost::Reports reports) { reports_ = std::move(reports); }

  // The containers of agents that are still needed live on. Idempotent.
  void Stop();

  void Start(Order order) override;
  void Retire(const std::string& agent) override;
  void Adopt(const std::vector<StartIntent>& intents) override;

 private:
  ProcessFleet& processes_;
  DockerHost::Reports reports_;
  http::Client client_;
  std::map<std::string, std::unique_ptr<DockerHost>> engines_;  // By host.
};

}  // namespace slipway::dispatcher
