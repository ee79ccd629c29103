#include "agent/supervisor/run.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <utility>

#include "agent/supervisor/agent.h"
#include "agent/supervisor/settings.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/rpc/signals.h"

namespace slipway::agent {

absl::Status RunOutside(const std::string& config_path) {
  // Not what was inherited: a service that is just binding its sockets has a mask under which new
  // directories cannot be searched by the sandbox's user.
  umask(022);
  ASSIGN_OR_RETURN(const config::v1::AgentConfig config,
                   config::Load<config::v1::AgentConfig>(config_path));
  log::Init("agent", {.level = log::ParseLevel(config.log().level())});
  ASSIGN_OR_RETURN(Settings settings, Settings::Make(config));
  // Not for the programs that this one starts.
  unsetenv("SLIPWAY_AGENT_TOKEN");
  Agent agent(std::move(settings), {.clock = base::RealClock(), .ids = base::RandomIds()});
  RETURN_IF_ERROR(agent.Prepare());
  absl::Status status;
  std::atomic<bool> signalled = false;
  std::thread worker([&] {
    status = agent.Run();
    // Ends the wait below, which a real signal may have ended already.
    if (!signalled) kill(getpid(), SIGTERM);
  });
  rpc::WaitForSignal();
  signalled = true;
  agent.Stop();
  worker.join();
  return status;
}

}  // namespace slipway::agent
