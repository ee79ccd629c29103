#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "slipway/agent/v1/agent_service.grpc.pb.h"

namespace slipway::bench {

// Simulated agents of one process, on the real session protocol: each has a connection of its own,
// says hello, beats, takes every grant, "works" for a while and hands in a change. They dial again
// when the dispatcher is gone. They never fence themselves: whether their late results count is up
// to the dispatcher alone.
class AgentPool final {
 public:
  struct Options {
    std::string address;
    std::string token;
    std::string host = "hosts/bench";
    std::string prefix = "agent";  // Of their names.
    int agents = 1;
    absl::Duration work;  // From a grant to its result.
    // Called on threads of gRPC; must not block.
    std::function<void(const agent::v1::Grant& grant)> on_grant = nullptr;
    std::function<void(const std::string& attempt, agent::v1::SubmitResultResponse::Receipt)>
        on_receipt = nullptr;
  };

  // Returns when all have been welcomed. UNAVAILABLE when that takes too long.
  static absl::StatusOr<std::unique_ptr<AgentPool>> Start(Options options);

  // Ends all sessions and waits for them.
  ~AgentPool();

 private:
  class Agent;

  explicit AgentPool(Options options) : options_(std::move(options)) {}
  void OnWelcome();
  void OnBegun();
  void OnGone();

  const Options options_;
  base::Mutex mutex_;
  base::CondVar changed_;
  int welcomed_ ABSL_GUARDED_BY(mutex_) = 0;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;  // Sessions and calls.
  std::vector<std::shared_ptr<Agent>> agents_;
};

}  // namespace slipway::bench
