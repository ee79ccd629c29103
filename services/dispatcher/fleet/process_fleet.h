#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/process.h"
#include "lib/base/thread_pool.h"
#include "services/dispatcher/domain/agent_fleet.h"
#include "services/dispatcher/domain/agent_tokens.h"

namespace slipway::dispatcher {

// Agents as child processes, each with a token of its own. A child that the dispatcher leaves
// behind is killed by the kernel. One thread starts, watches and reaps them. What agents left that
// were killed is removed at the start, a moment after one was, and at the end.
class ProcessFleet final : public AgentFleet {
 public:
  struct Program {
    std::string path;
    std::string config;
    std::string workspaces;  // Where its agents work; empty: not known, nothing is swept.
  };
  // Called on the fleet's thread when an agent is gone or could not be started.
  using OnExited = std::function<void(std::string agent, std::string problem)>;

  // `programs` by host.
  ProcessFleet(std::map<std::string, Program> programs, AgentTokens& tokens, base::Clock& clock);
  ~ProcessFleet() override { Stop(); }

  void Begin(OnExited on_exited);

  // Kills all and joins. Idempotent.
  void Stop();

  void Start(Order order) override;
  void Retire(const std::string& agent) override;
  void Adopt(const std::vector<StartIntent>& intents) override;  // Children do not live on.

 private:
  struct Child {
    base::Process process;
    absl::Duration terminate_at = absl::InfiniteDuration();
    absl::Duration kill_at = absl::InfiniteDuration();
  };

  void Loop();
  void Obey(const Order& order);  // Without a host: retire.
  void Launch(const Order& order);
  void Watch();
  bool Reap(const std::string& agent, Child& child);
  void Sweep();

  const std::map<std::string, Program> programs_;
  AgentTokens& tokens_;
  base::Clock& clock_;
  OnExited on_exited_;
  std::map<std::string, Child> children_;           // Of the thread.
  absl::Duration sweep_at_ = absl::ZeroDuration();  // Of the thread.
  std::unique_ptr<base::ThreadPool> sweeper_;       // Large trees take longer than starts may wait.

  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<Order> orders_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace slipway::dispatcher
