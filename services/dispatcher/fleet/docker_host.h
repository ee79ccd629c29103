#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/http/client.h"
#include "services/dispatcher/domain/agent_fleet.h"
#include "services/dispatcher/domain/agent_tokens.h"
#include "services/dispatcher/fleet/agent_endpoints.h"
#include "services/dispatcher/fleet/container_host.h"
#include "services/dispatcher/fleet/docker_engine.h"
#include "services/dispatcher/fleet/order_inbox.h"
#include "services/dispatcher/fleet/ssh_tunnel.h"

namespace slipway::dispatcher {

// The agents of one Docker engine, each in a container of its own: what is missing is made, what
// ended is reported and removed, what is not known is removed.
class DockerHost final : public ContainerHost {
 public:
  struct Options {
    std::string name;              // hosts/{h}
    std::string owner;             // Of the dispatcher's database: marks its containers.
    DockerEngine::Options engine;  // By SSH: its address is the tunnel's socket.
    std::optional<SshTunnel::Options> ssh;
    std::string image;
    std::string agent_program;
    std::string agent_config;  // Text.
    std::string socket_directory;
    std::string agent_address;
    std::string proxy_address;
    unsigned uid = 0;
    int64_t memory_bytes = 0;
    int64_t milli_cpus = 0;
    int64_t processes = 0;
    int64_t workspace_bytes = 0;
    int64_t temporary_bytes = 0;
  };

  DockerHost(Options options, http::Client& client, AgentTokens& tokens, base::Clock& clock);
  ~DockerHost() override { Stop(); }

  void Begin(const std::vector<StartIntent>& intents, Reports reports) override;
  void Stop() override;
  void Start(AgentFleet::Order order) override;
  void Retire(const std::string& agent) override;

 private:
  struct Child {
    std::string token;
    std::unique_ptr<AgentEndpoints> endpoints;
    bool seen = false;    // Its container was listed, or the engine said that it was made.
    bool failed = false;  // To be reported; nothing more is asked of the engine.
    std::string problem;
    int tries = 0;
    absl::Duration terminate_at = absl::InfiniteDuration();
    absl::Duration kill_at = absl::InfiniteDuration();
  };
  using Children = std::map<std::string, Child>;
  using Containers = std::map<std::string, EngineContainer>;

  void Loop();
  void Obey();
  void Look();
  void Step(const std::string& agent, Child& child, const EngineContainer* container);
  void Make(const std::string& agent, Child& child);
  void Run(const EngineContainer& container, Child& child);
  void Watch(const std::string& agent, Child& child, const EngineContainer& container);
  void ReportEnd(Child& child, const EngineContainer& container);
  void RemoveStrangers(const Containers& containers);
  void Reap();
  void SweepDirectories();
  void SetReach(const std::string& problem);
  absl::StatusOr<std::vector<EngineContainer>> ListContainers();
  absl::Status OpenEndpoints(const std::string& agent, Child& child);
  std::string SpecOf(const std::string& agent, const Child& child) const;
  absl::Duration Pause() const;

  const Options options_;
  DockerEngine engine_;
  std::optional<SshTunnel> tunnel_;  // Of the thread.
  AgentTokens& tokens_;
  base::Clock& clock_;
  Reports reports_;
  Children children_;  // Of the thread, once it runs.
  std::string reach_;  // Of the thread.
  int failures_ = 0;   // Of the thread: lists that failed, in a row.
  int settling_ = 0;   // Of the thread: looks to take soon after the last agent, for what it left.

  OrderInbox inbox_;
  std::thread thread_;
};

}  // namespace slipway::dispatcher
