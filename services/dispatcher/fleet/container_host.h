#pragma once

#include <functional>
#include <string>
#include <vector>

#include "services/dispatcher/domain/agent_fleet.h"

namespace slipway::dispatcher {

// A host whose agents live on without the dispatcher and are adopted by the next one: an engine or
// a namespace of a cluster. Its own thread compares, again and again, which agents there are to be
// with what the host shows, and takes one step from the one to the other. So it does not matter
// whether a call was answered, nor who made what is there.
class ContainerHost {
 public:
  // Both are called on the host's thread.
  struct Reports {
    std::function<void(std::string agent, std::string problem)> on_exited;
    std::function<void(std::string host, std::string problem)> on_reach;
  };

  virtual ~ContainerHost() = default;

  // Adopts and begins. Once, before the rest.
  virtual void Begin(const std::vector<StartIntent>& intents, Reports reports) = 0;

  // Removes what agents that were retired run in, and leaves the others to the next dispatcher.
  // Idempotent.
  virtual void Stop() = 0;

  virtual void Start(AgentFleet::Order order) = 0;
  virtual void Retire(const std::string& agent) = 0;
};

}  // namespace slipway::dispatcher
